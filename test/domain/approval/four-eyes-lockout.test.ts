import { describe, expect, it } from '@jest/globals';
import { approvalBy } from './four-eyes-moves.ts';
import { newAccount, submit, withAccount } from './four-eyes-rules.ts';
import { searchAtRandom } from './four-eyes-search.ts';
import { starts } from './four-eyes-starts.ts';
import { allRules } from './four-eyes-state.ts';
import type { Rules, State } from './four-eyes-state.ts';
import { honestPair, settled, wayOut } from './four-eyes-way-out.ts';

/*
 * Nobody is locked out: from wherever one malicious person has brought things, two honest administrators who are apart
 * reach X, though every request of theirs is refused wherever that is allowed. Fewer than two need help from outside.
 */

/** Random states, with how often each way out was taken, and the moves that lead to a state without any. */
function waysOut(rules: Rules, runs: number) {
  const taken: Record<string, number> = {};
  const search = { rules, attention: ['vigilant', 'gullible'], moves: 10, runs } as const;
  const locked = searchAtRandom(search, ({ state: reached }) => {
    const state = settled(reached);
    const way = wayOut(rules, state);
    if (honestPair(state) && way === null) return 'no way out';
    const key = honestPair(state) ? String(way) : `without a pair: ${way ?? 'outside'}`;
    taken[key] = (taken[key] ?? 0) + 1;
    return null;
  });
  return { locked, taken };
}

const two = approvalBy({ steps: [{ name: 'two', roles: ['role-super-admin'], users: [], quorum: 2 }] });
const alice = newAccount('alice', 'alice', 'role-super-admin', 'alice');
const bob = newAccount('bob', 'bob', 'role-super-admin', 'bob');
const dora = newAccount('dora', 'dora', 'role-super-admin', 'dora');
const mallory = newAccount('mallory', 'mallory', 'role-super-admin', 'mallory');
const carol = newAccount('carol', 'carol', 'role-super-admin', 'carol');

function stateOf(changed: Partial<State>): State {
  return { ...starts['three administrators'], ...changed };
}

describe('two honest administrators who are apart', () => {
  it('reach X from 12,000 random states, whatever is refused', () => {
    const { locked, taken } = waysOut(allRules, 12_000);
    expect(locked).toBeNull();
    expect(taken['at once']).toBeGreaterThan(1_000);
    expect(taken['after replacing the policy']).toBeGreaterThan(5);
    expect(taken['without a pair: outside']).toBeGreaterThan(100);
  });

  it('replace a policy that the others have left them with', () => {
    expect(wayOut(allRules, stateOf({ gates: { X: two, Y: two } }))).toBe('after replacing the policy');
  });

  it('do so although everybody has had to do with the account of one junior', () => {
    const acts = ['alice', 'bob'].map((actor) => ({ actor, target: 'mallory', kind: 'address', closes: null }) as const);
    const accounts = [alice, bob, { ...mallory, role: 'junior' as const }];
    expect(wayOut(allRules, stateOf({ accounts, acts, gates: { X: two, Y: two } }))).toBe('after replacing the policy');
  });

  it('make room for it by a no when the same replacement waits already under a policy that cannot be met', () => {
    const steps = ['first', 'second'].map((name) => ({ name, roles: ['role-super-admin'], users: [], quorum: 1 }));
    const strict = approvalBy({ steps });
    const start = stateOf({ accounts: [alice, bob, mallory, dora], gates: { X: strict, Y: strict } });
    const change = { kind: 'policy', action: 'X', effect: approvalBy({}) } as const;
    const asked = submit(allRules, start, { account: 'mallory', person: 'mallory' }, change);
    const left = withAccount(asked!, 'dora', { is_active: false });
    expect(left.requests).toHaveLength(1);
    expect(wayOut(allRules, left)).toBe('after replacing the policy');
  });

  it('ask for another replacement when the first waits under a policy that nobody can meet or refuse any more', () => {
    const named = approvalBy({ steps: [{ name: 'named', roles: [], users: ['mallory', 'bob'], quorum: 1 }] });
    const start = stateOf({ accounts: [alice, bob, mallory, dora], gates: { X: named, Y: named } });
    const change = { kind: 'policy', action: 'X', effect: approvalBy({}) } as const;
    const asked = submit(allRules, start, { account: 'mallory', person: 'mallory' }, change);
    const left = withAccount(asked!, 'bob', { is_active: false });
    expect(left.requests).toHaveLength(1);
    expect(wayOut(allRules, left)).toBe('after replacing the policy');
  });

  it('confirm a third first where the policy needs one more', () => {
    const acts = [
      { actor: 'alice', target: 'carol', kind: 'create', closes: null },
      { actor: 'bob', target: 'dora', kind: 'create', closes: null },
    ] as const;
    const accounts = [alice, bob, carol, dora, mallory];
    expect(wayOut(allRules, stateOf({ accounts, acts, gates: { X: two, Y: two } }))).toBe('after a confirmation');
  });
});

describe('the same search with a rule left out', () => {
  it('finds people without a way out when the same person may say no again and again', () => {
    expect(waysOut({ ...allRules, one_no: false }, 3_000).locked).toContain('no way out');
  });

  it('finds people without a way out when policies need not be robust and are never replaced', () => {
    expect(waysOut({ ...allRules, robust: false }, 12_000).locked).toContain('no way out');
  });
});
