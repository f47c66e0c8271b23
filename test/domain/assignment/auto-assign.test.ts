import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chooseNext, assignRound, levelLoad, replayChoice } from '../../../src/domain/assignment/auto-assign.ts';
import type { ExclusionReason, PoolMember } from '../../../src/domain/assignment/auto-assign.ts';

const member = (name: string, values: Partial<PoolMember> = {}): PoolMember => ({
  user_id: name,
  weight: 100,
  load: 0,
  last_turn: null,
  open_contacts: 0,
  max_open_contacts: null,
  exclusion: null,
  ...values,
});

const items = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ contact_id: `c${index}`, preferred_user_id: null }));

const ownersOf = (pool: readonly PoolMember[], count: number) =>
  assignRound(pool, items(count)).assignments.map(({ reason }) => reason.chosen_user_id);

const countOf = (owners: readonly (string | null)[], name: string) => owners.filter((owner) => owner === name).length;

/** Pools as the database can hold them. */
const pools = fc.uniqueArray(
  fc.record({
    user_id: fc.stringMatching(/^[a-f]{4}$/),
    weight: fc.integer({ min: 1, max: 10_000 }),
    load: fc.nat(5000),
    last_turn: fc.option(fc.integer({ min: 1, max: 5000 })),
    open_contacts: fc.nat(20),
    max_open_contacts: fc.constant(null),
    exclusion: fc.option(fc.constantFrom<ExclusionReason>('inactive', 'absent', 'excluded', 'full')),
  }),
  { selector: ({ user_id }) => user_id, maxLength: 8 },
);

describe('S3-40: the auto-assign rule', () => {
  it('S3-40: with weights 1:2:3 every load stays within one contact of its exact share, after each of 600 assignments', () => {
    const pool = [member('a', { weight: 100 }), member('b', { weight: 200 }), member('c', { weight: 300 })];
    const owners = ownersOf(pool, 600);
    const counts = new Map(pool.map(({ user_id }) => [user_id, 0]));
    owners.forEach((owner, index) => {
      counts.set(owner ?? '', (counts.get(owner ?? '') ?? 0) + 1);
      for (const { user_id, weight } of pool) {
        expect(Math.abs((counts.get(user_id) ?? 0) - ((index + 1) * weight) / 600)).toBeLessThanOrEqual(1);
      }
    });
    expect([...counts.values()]).toEqual([100, 200, 300]);
  });

  it('chooses the largest shortfall, then the member chosen least recently, then the lower id', () => {
    expect(chooseNext([member('a', { load: 1 }), member('b')]).chosen_user_id).toBe('b');
    expect(chooseNext([member('a', { last_turn: 2 }), member('b', { last_turn: 1 })]).chosen_user_id).toBe('b');
    expect(chooseNext([member('b'), member('a')]).chosen_user_id).toBe('a');
  });

  it('a member who joins after 300 assignments gets a fair share of the next 60 and no more', () => {
    const { pool } = assignRound(['a', 'b', 'c', 'd', 'e'].map((name) => member(name)), items(300));
    const totals = { load: 300, weight: 500 };
    const owners = ownersOf([...pool, member('f', { load: levelLoad(100, totals) })], 60);
    expect(countOf(owners, 'f')).toBe(10);
  });

  it('a member who returns after an absence of 300 assignments gets a fair share of the next 60 and no more', () => {
    const away = member('f', { exclusion: 'absent' });
    const { pool } = assignRound([...['a', 'b', 'c', 'd', 'e'].map((name) => member(name)), away], items(300));
    const owners = ownersOf(pool.map((one) => (one.user_id === 'f' ? { ...one, exclusion: null } : one)), 60);
    expect(countOf(owners, 'f')).toBe(10);
  });

  it('S3-40: chooses nobody once every member is full', () => {
    const owners = ownersOf([member('a', { max_open_contacts: 2 }), member('b', { max_open_contacts: 1 })], 5);
    expect(owners).toEqual(['a', 'b', 'a', null, null]);
  });

  it('chooses the previous owner when asked to keep the owner, unless that member is excluded', () => {
    const pool = [member('a'), member('b', { load: 9 }), member('c', { exclusion: 'absent' })];
    expect(chooseNext(pool, 'b').chosen_user_id).toBe('b');
    expect(chooseNext(pool, 'c').chosen_user_id).toBe('a');
  });

  it('S3-40: never chooses an excluded member, and stores the reason of every exclusion', () => {
    fc.assert(
      fc.property(pools, (pool) => {
        const reason = chooseNext(pool);
        const excluded = pool.filter(({ exclusion }) => exclusion !== null);
        expect(excluded.map(({ user_id }) => user_id)).not.toContain(reason.chosen_user_id);
        expect(reason.excluded).toHaveLength(excluded.length);
        expect(reason.chosen_user_id === null).toBe(excluded.length === pool.length);
      }),
    );
  });

  it('repeating a choice from its stored inputs gives the same result, whatever their order', () => {
    fc.assert(
      fc.property(pools, fc.nat(8), (pool, place) => {
        const reason = chooseNext(pool, pool[place]?.user_id ?? null);
        const stored = JSON.parse(JSON.stringify(reason)) as typeof reason;
        expect(replayChoice({ ...stored, candidates: stored.candidates.toReversed() })).toBe(reason.chosen_user_id);
      }),
    );
  });

  it('a round assigns the same owners as its parts one after the other', () => {
    fc.assert(
      fc.property(pools, fc.integer({ min: 1, max: 40 }), fc.nat(40), (pool, count, cut) => {
        const whole = assignRound(pool, items(count));
        const first = assignRound(pool, items(count).slice(0, cut));
        const second = assignRound(first.pool, items(count).slice(cut));
        expect([...first.assignments, ...second.assignments]).toEqual(whole.assignments);
        expect(second.pool).toEqual(whole.pool);
      }),
    );
  });

  it('no excluded member is owed more than the others', () => {
    fc.assert(
      fc.property(pools, (pool) => {
        const { pool: after, assignments } = assignRound(pool, items(30));
        if (assignments[0]?.reason.chosen_user_id === null) return;
        const candidates = after.filter(({ exclusion }) => exclusion === null);
        const load = candidates.reduce((sum, one) => sum + one.load, 0);
        const weight = candidates.reduce((sum, one) => sum + one.weight, 0);
        for (const one of after.filter(({ exclusion }) => exclusion !== null)) {
          expect(one.load * weight).toBeGreaterThanOrEqual(load * one.weight);
        }
      }),
    );
  });
});
