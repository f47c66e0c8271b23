import { approvalBy } from './four-eyes-moves.ts';
import { newAccount } from './four-eyes-rules.ts';
import type { Account, Act, Person, Role, State } from './four-eyes-state.ts';

/** States from which the model begins, by name. In all of them every account is really its person's. */

const account = (person: Person, role: Role, hasApp: boolean): Account => newAccount(person, person, role, person, hasApp ? person : null);
const alice = account('alice', 'role-super-admin', true);
const bob = account('bob', 'role-super-admin', false);
const mallory = account('mallory', 'role-super-admin', true);
const carol = account('carol', 'junior', false);

const alone = (actor: string, target: string): Act => ({ target, actor, kind: 'create', closes: null });
const agreed = (actor: string, target: string): Act => ({ target, actor, kind: 'create', closes: 30 });

function start(accounts: readonly Account[], acts: readonly Act[] = [], gates: Partial<State['gates']> = {}): State {
  return {
    accounts,
    acts,
    gates: { X: approvalBy({}), Y: approvalBy({}), ...gates },
    ...{ requests: [], noes: [], day: 0, y_is_free: false, ran: null, violation: null, next: 1 },
  };
}

export const starts = {
  'three administrators': start([alice, bob, mallory]),
  'two administrators and a junior': start([alice, mallory, carol]),
  'alone, with a junior made alone': start([mallory, carol], [alone('mallory', 'carol')]),
  'a junior among administrators': start([alice, bob, { ...mallory, role: 'junior' }]),
  'bypassers named by a vote': start([alice, bob, mallory], [], { X: approvalBy({ bypassers: ['mallory', 'alice'] }) }),
  'two votes for Y': start([alice, bob, mallory, { ...carol, role: 'role-super-admin' }], [], {
    Y: approvalBy({ steps: [{ name: 'two', roles: ['role-super-admin'], users: [], quorum: 2 }] }),
  }),
  'a releaser who decides': start([alice, bob, { ...mallory, role: 'releaser' }], [], {
    X: approvalBy({ steps: [{ name: 'any', roles: ['role-super-admin', 'releaser'], users: [], quorum: 1 }] }),
  }),
  'an administrator made alone': start([alice, mallory, bob], [alone('mallory', 'bob')]),
  'administrators made by approval': start([alice, bob, mallory, carol], [agreed('alice', 'bob'), agreed('alice', 'mallory'), alone('bob', 'carol')]),
  'a junior who has let an administrator in': start([bob, mallory, { ...alice, role: 'junior' }], [agreed('alice', 'bob')]),
  'somebody named from outside, wrongly': start([alice, { ...mallory, counts_from: 3 }]),
} as const satisfies Record<string, State>;
