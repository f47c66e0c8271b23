import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isEligible } from '../../../src/domain/approval/approval-policy.ts';
import type { ApprovalStep, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';
import { canBeMet, robustnessFault } from '../../../src/domain/approval/approval-quorum.ts';
import type { SettledVotes } from '../../../src/domain/approval/approval-quorum.ts';
import { Independence } from '../../../src/domain/approval/independence.ts';
import type { OpenAct } from '../../../src/domain/approval/independence.ts';
import { actsAmong, few, made, naiveApart } from './act-samples.ts';

const step = (roles: string[], quorum = 1, users: string[] = []): ApprovalStep => ({ name: roles.join(), roles, users, quorum });
const person = (user_id: string, ...roles: string[]): EligiblePerson => ({ user_id, roles });
const none = { authors: [], counted: [] };

/** Tries everybody for every missing vote, one after the other. */
function naiveMet(steps: readonly ApprovalStep[], people: readonly EligiblePerson[], acts: readonly OpenAct[], { authors, counted }: SettledVotes): boolean {
  const missing = steps.flatMap((one, index) =>
    Array.from({ length: Math.max(0, one.quorum - counted.filter((vote) => vote.step === index).length) }, () => one),
  );
  function fill(at: number, settled: readonly string[]): boolean {
    const wanted = missing[at];
    if (wanted === undefined) return true;
    return people.some(
      (one) =>
        isEligible(wanted, one) &&
        settled.every((id) => naiveApart(acts, one.user_id, id)) &&
        fill(at + 1, [...settled, one.user_id]),
    );
  }
  return fill(0, [...authors, ...counted.map(({ approver_id }) => approver_id)]);
}

const somePeople = fc.tuple(...few.map((user_id) => fc.subarray(['r', 's']).map((roles): EligiblePerson => ({ user_id, roles }))));
const someSteps = fc.array(
  fc
    .tuple(fc.subarray(['r', 's'], { minLength: 1 }), fc.subarray([...few], { maxLength: 2 }), fc.integer({ min: 1, max: 2 }))
    .map(([roles, users, quorum]) => step(roles, quorum, users)),
  { minLength: 1, maxLength: 3 },
);
const withoutTies = fc.constant<OpenAct[]>([]);
const someActs = fc.oneof(withoutTies, actsAmong(few, 4), actsAmong([...few, 'gone'], 8));

describe('a policy can be met', () => {
  it('exactly when trying everybody for every vote finds a way, with ties, authors and counted votes', () => {
    const settled = fc.record({
      authors: fc.subarray([...few, 'junior'], { maxLength: 2 }),
      counted: fc.array(fc.record({ approver_id: fc.constantFrom(...few), step: fc.nat(2) }), { maxLength: 2 }),
    });
    let met = 0;
    fc.assert(
      fc.property(someSteps, somePeople, someActs, settled, (steps, people, acts, votes) => {
        const expected = naiveMet(steps, people, acts, votes);
        expect(canBeMet(steps, people, new Independence(acts), votes)).toBe(expected);
        if (expected) met += 1;
      }),
      { numRuns: 3_000 },
    );
    expect(met).toBeGreaterThan(100);
  });

  it('not by two who are not apart, though each of them could', () => {
    const people = [person('one', 'r'), person('other', 'r')];
    const independence = new Independence([made('maker', 'one'), made('maker', 'other')]);
    expect(canBeMet([step(['r'])], people, independence, none)).toBe(true);
    expect(canBeMet([step(['r'], 2)], people, independence, none)).toBe(false);
    expect(canBeMet([step(['r'])], people, independence, { authors: ['maker'], counted: [] })).toBe(false);
    expect(canBeMet([step(['r']), step(['r'])], people, independence, { authors: [], counted: [{ approver_id: 'one', step: 0 }] })).toBe(false);
  });

  it('counts as impossible when the search would take too long', () => {
    const people = Array.from({ length: 24 }, (_, at) => person(`p${at}`, 'r'));
    const acts = people.slice(1).map(({ user_id }, at) => made(`maker${at % 11}`, user_id));
    // Twelve count apart: one of each maker, and the one whom nobody made.
    expect(canBeMet([step(['r'], 12)], people, new Independence(acts), none)).toBe(true);
    expect(canBeMet([step(['r'], 13)], people, new Independence(acts), none)).toBe(false);
  });
});

/** The definition: enough for each requester, and of several votes without any one further person too. */
function naiveRobust(steps: readonly ApprovalStep[], people: readonly EligiblePerson[], acts: readonly OpenAct[], requesters: readonly string[]): boolean {
  const met = (able: readonly EligiblePerson[], authors: string[]) => naiveMet(steps, able, acts, { authors, counted: [] });
  const isServed = (id: string) => people.some(({ user_id }) => naiveApart(acts, id, user_id));
  const isPaired = people.some(({ user_id }) => isServed(user_id));
  const asking = requesters.filter((id) => !isPaired || isServed(id));
  if (!met(people, []) || !asking.every((id) => met(people, [id]))) return false;
  if (steps.reduce((sum, { quorum }) => sum + quorum, 0) === 1) return true;
  return people.every(({ user_id: absent }) => {
    const present = people.filter(({ user_id }) => user_id !== absent);
    return met(present, []) && asking.every((id) => id === absent || met(present, [id]));
  });
}

describe('a policy is robust', () => {
  it('exactly when it can be met for each requester, and of several votes without each further person', () => {
    let robust = 0;
    const requesters = fc.subarray([...few, 'junior']);
    fc.assert(
      fc.property(someSteps, somePeople, fc.oneof(withoutTies, actsAmong([...few, 'junior'], 3)), requesters, (steps, people, acts, asking) => {
        const expected = naiveRobust(steps, people, acts, asking);
        expect(robustnessFault(steps, people, new Independence(acts), asking) === null).toBe(expected);
        if (expected) robust += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(robust).toBeGreaterThan(50);
  });

  const three = ['a', 'b', 'c'].map((id) => person(id, 'r'));
  const fault = (steps: ApprovalStep[], people = three, acts: OpenAct[] = [], requesters = people.map(({ user_id }) => user_id)) =>
    robustnessFault(steps, people, new Independence(acts), requesters);

  it('names whom it cannot do without', () => {
    expect(fault([step(['other'])])).toEqual({ without: null });
    expect(fault([step([], 1, ['a'])])).toEqual({ without: 'a' });
    expect(fault([step(['r'])])).toBeNull();
    expect(fault([step(['r'], 2)])).toEqual({ without: 'a' });
    expect(fault([step(['r'], 2)], [...three, person('d', 'r')])).toBeNull();
  });

  it('is no policy that needs a puppet of the requester', () => {
    const people = [person('a', 'r'), person('puppet', 'r')];
    expect(fault([step(['r'])], people, [made('a', 'puppet')])).toEqual({ without: 'a' });
  });

  it('does not depend on a requester whom nobody is apart from, once two others are apart', () => {
    const acts = three.map(({ user_id }) => made(user_id, 'junior'));
    expect(fault([step(['r'])], three, acts, ['a', 'b', 'c', 'junior'])).toBeNull();
    expect(fault([step([], 1, ['a'])], three, acts, ['a', 'junior'])).toEqual({ without: 'a' });
    expect(fault([step(['r'])], [person('a', 'r')], [made('a', 'junior')], ['junior'])).toEqual({ without: 'junior' });
  });
});
