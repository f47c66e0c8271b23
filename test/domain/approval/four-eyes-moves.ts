import type { ApprovalPolicy, ApprovalStep } from '../../../src/domain/approval/approval-policy.ts';
import { weakens } from '../../../src/domain/approval/gate-strength.ts';
import type { GateEffect } from '../../../src/domain/approval/gate-strength.ts';
import { confirm, decide, digestOf, newAccount, refusalOf, submit, wait, withAccount } from './four-eyes-rules.ts';
import type { Decision, Hand } from './four-eyes-rules.ts';
import { accountOf, holds, honestPeople, isAdministrator, isDecider, isGenuine, malicious, modelPolicy } from './four-eyes-state.ts';
import type { Account, Change, Guarded, Person, Request, Rules, State } from './four-eyes-state.ts';

/** Something that a person does; `apply` returns null where the rules refuse it. */
export interface Move {
  readonly label: () => string;
  readonly apply: (state: State) => State | null;
}

/** Vigilant people refuse what lets an invented person in or weakens; gullible ones approve everything. */
export type Attention = 'vigilant' | 'gullible';

const administrators: ApprovalStep = { name: 'administrator', roles: ['role-super-admin'], users: [], quorum: 1 };
const named = (users: string[], quorum = 1): ApprovalStep => ({ name: 'named', roles: [], users, quorum });

export const approvalBy = (policy: Partial<ApprovalPolicy>): GateEffect => ({ gate: 'approval', policy: { ...modelPolicy, ...policy } });
export const withoutApproval = (gate: 'none' | 'mfa'): GateEffect => ({ gate, policy: modelPolicy });

/** The policies that somebody could write to win something, and some that a careful person writes. */
export function effectsFor(state: State, me: string): GateEffect[] {
  const others = state.accounts.filter((one) => one.id !== me && isDecider(one)).map(({ id }) => id);
  return [
    withoutApproval('none'),
    withoutApproval('mfa'),
    approvalBy({}),
    approvalBy({ steps: [{ ...administrators, quorum: 2 }] }),
    approvalBy({ steps: [administrators, { ...administrators, name: 'second' }] }),
    approvalBy({ steps: [named([me])] }),
    approvalBy({ steps: [{ ...administrators, roles: ['role-super-admin', 'releaser'] }] }),
    ...others.map((other) => approvalBy({ steps: [named([me, other])] })),
    approvalBy({ bypassers: [me] }),
    approvalBy({ bypassers: others }),
    approvalBy({ independence_days: 7 }),
    approvalBy({ independence_days: 60 }),
  ];
}

const guarded: readonly Guarded[] = ['X', 'Y'];
const decisions: readonly Decision[] = ['approve', 'reject', 'break-glass', 'edit', 'cancel'];

const submits = (rules: Rules, hand: Hand, change: Change): Move => ({
  label: () => `${hand.person} as ${hand.account}: ${digestOf(change)}`,
  apply: (state) => submit(rules, state, hand, change),
});

const decides = (rules: Rules, hand: Hand, { id, change }: Request, kind: Decision): Move => ({
  label: () => `${hand.person} as ${hand.account}: ${kind} #${id} ${change.kind}`,
  apply: (state) => {
    const request = state.requests.find((one) => one.id === id);
    return request === undefined ? null : decide(rules, state, hand, request, kind);
  },
});

const confirms = (hand: Hand, target: string): Move => ({
  label: () => `${hand.person} as ${hand.account}: confirm ${target}`,
  apply: (state) => confirm(state, hand, target),
});

/** Everything that one account can try to do to accounts. */
function accountChanges(state: State, me: string): Change[] {
  return [
    { kind: 'make', claims: 'nobody', role: 'junior', holder: malicious },
    { kind: 'make', claims: 'nobody', role: 'role-super-admin', holder: malicious },
    ...state.accounts.flatMap(({ id: target }): Change[] => [
      { kind: 'grant', target },
      { kind: 'address', target, to: malicious },
      { kind: 'identity', target, to: malicious },
      { kind: 'activate', target },
      ...(target === me ? [] : ([{ kind: 'take', target }, { kind: 'suspend', target }] as const)),
    ]),
  ];
}

/** Groups of moves of the malicious person, as every account whose way in and factor are really held. */
export function maliciousMoves(rules: Rules, state: State): Move[][] {
  const hands = heldBy(state, malicious);
  const runs = hands.flatMap((hand) => guarded.map((action) => submits(rules, hand, { kind: 'run', action, content: 0 })));
  const administering = hands.filter(({ account }) => isAdministratorOf(state, account));
  return [
    runs,
    administering.flatMap((hand) => accountChanges(state, hand.account).map((change) => submits(rules, hand, change))),
    administering.flatMap((hand) =>
      effectsFor(state, hand.account).flatMap((effect) =>
        guarded.map((action) => submits(rules, hand, { kind: 'policy', action, effect })),
      ),
    ),
    hands.flatMap((hand) => state.requests.flatMap((request) => decisions.map((kind) => decides(rules, hand, request, kind)))),
    hands.flatMap((hand) => state.accounts.map(({ id }) => confirms(hand, id))),
  ];
}

/** Groups of moves of everybody else. */
export function honestMoves(rules: Rules, state: State, attention: Attention): Move[][] {
  const hands = honestPeople.flatMap((person) => heldBy(state, person));
  const administering = hands.filter(({ account }) => isAdministratorOf(state, account));
  const careful = effectsFor(state, '').slice(2, 5);
  return [
    hands.flatMap((hand) =>
      state.requests.map((request) =>
        decides(rules, hand, request, attention === 'gullible' || isHarmless(state, request.change) ? 'approve' : 'reject'),
      ),
    ),
    hands.flatMap((hand) => guarded.map((action) => submits(rules, hand, { kind: 'run', action, content: 0 }))),
    hands.flatMap((hand) => state.accounts.filter(isGenuine).map(({ id }) => confirms(hand, id))),
    administering.flatMap((hand) => [
      ...state.accounts.filter(isGenuine).map(({ id: target }) => submits(rules, hand, { kind: 'grant', target })),
      // Nobody gives a second account to one person: no rule could tell it from somebody else's.
      ...(state.accounts.some(({ claims }) => claims === 'dora')
        ? []
        : [submits(rules, hand, { kind: 'make', claims: 'dora', role: 'junior', holder: 'dora' })]),
      ...careful.flatMap((effect) => guarded.map((action) => submits(rules, hand, { kind: 'policy', action, effect }))),
    ]),
    hands.flatMap(({ account, person }) => [
      { label: () => `${person} loses the app`, apply: (now: State) => withAccount(now, account, { app: null }) },
      { label: () => `${person} leaves`, apply: (now: State) => withAccount(now, account, { is_active: false }) },
    ]),
    [{ label: () => 'dora is named from outside', apply: nameFromOutside }],
  ];
}

/** A person whom the others know becomes an administrator; their decisions count three days later (R12). */
export function nameFromOutside(state: State): State | null {
  if (state.accounts.some(({ claims }) => claims === 'dora')) return null;
  const dora: Account = { ...newAccount('dora', 'dora', 'role-super-admin', 'dora'), counts_from: state.day + 3 };
  return { ...state, accounts: [...state.accounts, dora] };
}

/** True for what neither lets an invented person in, nor hands over an account, nor weakens. */
function isHarmless(state: State, change: Change): boolean {
  if (change.kind === 'run') return true;
  if (change.kind === 'policy') return !weakens(state.gates[change.action], change.effect);
  if (change.kind === 'make') return change.claims !== 'nobody' && change.claims === change.holder;
  const target = accountOf(state, change.target);
  if (change.kind === 'address' || change.kind === 'identity') return change.to === target?.claims;
  return target !== undefined && isGenuine(target);
}

export const waiting = (days: number): Move => ({ label: () => `wait ${days} days`, apply: (state) => wait(state, days) });

export function heldBy(state: State, person: Person): Hand[] {
  const isTheirs = (account: Account) => holds(person, account) && (person === malicious || account.claims === person);
  return state.accounts.filter(isTheirs).map(({ id }) => ({ account: id, person }));
}

function isAdministratorOf(state: State, id: string): boolean {
  const account = accountOf(state, id);
  return account !== undefined && isAdministrator(account);
}

/**
 * Tries to finish alone from a state: asks with every held account and gives all their votes and bypasses, for X and Y, for
 * a weaker gate, and for what waits already.
 *
 * @returns the violation that it reaches, or null.
 */
export function finishAlone(rules: Rules, state: State): string | null {
  if (state.violation !== null) return state.violation;
  const hands = heldBy(state, malicious);
  const tries: State[] = [state];
  for (const hand of hands) {
    const changes: Change[] = [
      { kind: 'run', action: 'X', content: 0 },
      { kind: 'run', action: 'Y', content: 0 },
      { kind: 'policy', action: 'Y', effect: withoutApproval('none') },
      { kind: 'policy', action: 'X', effect: approvalBy({ bypassers: [hand.account] }) },
    ];
    for (const change of changes) {
      const asked = submit(rules, state, hand, change);
      if (asked !== null) tries.push(asked);
    }
  }
  for (const one of tries) {
    for (const order of hands.length > 1 ? [hands, hands.toReversed()] : [hands]) {
      const violation = one.violation ?? voteAlone(rules, one, order);
      if (violation !== null) return violation;
    }
  }
  return null;
}

function voteAlone(rules: Rules, start: State, hands: readonly Hand[]): string | null {
  let state = start;
  for (const { id, writer } of start.requests) {
    if (writer !== malicious) continue;
    for (const kind of ['approve', 'break-glass'] as const) {
      for (const hand of hands) {
        const request = state.requests.find((one) => one.id === id);
        if (request === undefined) break;
        state = decide(rules, state, hand, request, kind) ?? state;
        if (state.violation !== null) return state.violation;
      }
    }
  }
  return null;
}

/** The malicious person says no wherever that is allowed, with every account. */
export function refuseAll(rules: Rules, start: State): State {
  let state = start;
  for (const { id } of start.requests) {
    for (const hand of heldBy(state, malicious)) {
      const request = state.requests.find((one) => one.id === id);
      if (request === undefined || refusalOf(rules, state, hand.account, request, 'reject') !== null) continue;
      state = decide(rules, state, hand, request, 'reject') ?? state;
    }
  }
  return state;
}
