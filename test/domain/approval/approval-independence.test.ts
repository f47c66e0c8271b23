import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import { authorsOf, personRefusal, tiedVotes } from '../../../src/domain/approval/approval-independence.ts';
import type { PeopleFacts } from '../../../src/domain/approval/approval-independence.ts';
import type { ApprovalPolicy, ApprovalStep, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';
import { canBeMet } from '../../../src/domain/approval/approval-quorum.ts';
import { applyCommand, openApproval, refusal } from '../../../src/domain/approval/approval.ts';
import type { Approval } from '../../../src/domain/approval/approval.ts';
import { Independence } from '../../../src/domain/approval/independence.ts';
import type { OpenAct } from '../../../src/domain/approval/independence.ts';
import { actsAmong, few, made, naiveApart } from './act-samples.ts';

const step = (roles: string[], quorum = 1, users: string[] = []): ApprovalStep => ({ name: roles.join(), roles, users, quorum });
const person = (user_id: string, ...roles: string[]): EligiblePerson => ({ user_id, roles });

function opened(policy: Partial<ApprovalPolicy> = {}, requested_by = 'asker'): Approval {
  return openApproval({ digest: 'd', requested_by, policy: { ...safePolicy, steps: [step(['r'], 2)], bypassers: ['chief'], ...policy } }, 0);
}

const people = ['one', 'two', 'three'].map((id) => person(id, 'r'));

function facts(acts: readonly OpenAct[], rest: Partial<PeopleFacts> = {}): PeopleFacts {
  return { independence: new Independence(acts), people, counts_from: null, requester_left: false, rejected_at: null, ...rest };
}

const approve = (user_id: string, ...roles: string[]) => ({ kind: 'approve', by: person(user_id, ...(roles.length > 0 ? roles : ['r'])), digest: 'd' }) as const;
const refused = (approval: Approval, command: Parameters<typeof personRefusal>[1], of: PeopleFacts) => personRefusal(approval, command, of, 0);

describe('a vote of somebody who is not apart', () => {
  it('is refused in both directions, with the tie and what makes it count', () => {
    for (const act of [made('one', 'asker'), made('asker', 'one')]) {
      expect(refused(opened(), approve('one'), facts([act]))).toMatchObject({
        code: 'approval.not-independent',
        tie: { act },
        needs: 'confirmation',
      });
    }
    expect(refused(opened(), approve('one'), facts([made('one', 'somebody')]))).toBeNull();
  });

  it('is refused beside an editor and beside an earlier vote too', () => {
    const puppets = facts([made('maker', 'one'), made('maker', 'two')]);
    const voted = applyCommand(opened(), approve('one'), 0);
    expect(refused(voted, approve('two'), puppets)).toMatchObject({ code: 'approval.not-independent', tie: { person_id: 'maker' } });
    expect(refused(voted, approve('three'), puppets)).toBeNull();
    const edited: Approval = { ...opened(), editors: ['two'] };
    expect(authorsOf(edited)).toEqual(['asker', 'two']);
    expect(refused(edited, approve('one'), puppets)).toMatchObject({ code: 'approval.not-independent' });
  });

  it('says from when it counts only if time alone makes it count', () => {
    const [june, july] = ['2026-06-01T00:00:00Z', '2026-07-01T00:00:00Z'];
    const says = (...acts: OpenAct[]) => {
      const { needs, counts_from, tie } = refused(opened(), approve('one'), facts(acts)) ?? {};
      return [needs, counts_from, tie?.act];
    };
    const granted = made('asker', 'one', june);
    const later = made('one', 'asker', july);
    const alone = made('asker', 'one');
    expect(says(granted)).toEqual([undefined, june, granted]);
    expect(says(granted, later)).toEqual([undefined, july, expect.anything()]);
    expect(says(granted, alone)).toEqual(['confirmation', undefined, alone]);
    // The way to whoever stands behind both is shut when any part of it is.
    expect(says(made('maker', 'one'), made('maker', 'asker', june))).toEqual([undefined, june, expect.anything()]);
  });
});

describe('a vote that a later step needs', () => {
  const steps = [step(['r']), step([], 1, ['two'])];

  it('is refused with the name of the step, as long as others can meet this one', () => {
    expect(refused(opened({ steps }), approve('two'), facts([]))).toMatchObject({ code: 'approval.needed-later', needs: 'another_person', step: '' });
    expect(refused(opened({ steps }), approve('one'), facts([]))).toBeNull();
    // Nothing is saved by refusing it when nobody else is there.
    expect(refused(opened({ steps }), approve('two'), facts([], { people: [person('two', 'r')] }))).toBeNull();
  });

  it('is refused too when it would tie the one who is needed', () => {
    const tied = facts([made('maker', 'one'), made('maker', 'two')]);
    expect(refused(opened({ steps }), approve('one'), tied)).toMatchObject({ code: 'approval.needed-later' });
    expect(refused(opened({ steps }), approve('three'), tied)).toBeNull();
  });

  it('never leaves a request stuck: whoever may vote votes in any order, and every request that can be met is', () => {
    const somePeople = fc.tuple(...few.map((id) => fc.subarray(['r', 's']).map((roles) => person(id, ...roles))));
    const someSteps = fc.array(
      fc.tuple(fc.subarray(['r', 's'], { minLength: 1 }), fc.integer({ min: 1, max: 2 })).map(([roles, quorum]) => step(roles, quorum)),
      { minLength: 1, maxLength: 3 },
    );
    const order = fc.array(fc.nat(few.length - 1), { minLength: 12, maxLength: 12 });
    let met = 0;
    fc.assert(
      fc.property(someSteps, somePeople, actsAmong([...few, 'asker'], 3), order, (someOf, all, acts, choices) => {
        let approval = opened({ steps: someOf });
        const known = facts(acts, { people: all });
        const possible = canBeMet(someOf, all, known.independence, { authors: ['asker'], counted: [] });
        const able = () =>
          all.filter((by) => {
            const command = { kind: 'approve', by, digest: 'd' } as const;
            return refusal(approval, command, 0) === null && refused(approval, command, known) === null;
          });
        for (const choice of choices) {
          const voters = able();
          const by = voters[choice % voters.length];
          if (by !== undefined) approval = applyCommand(approval, { kind: 'approve', by, digest: 'd' }, 0);
        }
        expect(approval.status === 'approved').toBe(possible);
        expect(tiedVotes(approval, known.independence)).toEqual([]);
        if (possible) met += 1;
      }),
      { numRuns: 1_500 },
    );
    expect(met).toBeGreaterThan(100);
  });
});

describe('the other words of a person', () => {
  it('break the glass only for people whom they are apart from, in both directions, and never for themselves', () => {
    const glass = (user_id: string) => ({ kind: 'break-glass', by: person(user_id), digest: 'd' }) as const;
    expect(refused(opened(), glass('chief'), facts([]))).toBeNull();
    expect(refused(opened({}, 'chief'), glass('chief'), facts([]))?.code).toBe('approval.bypass-own-request');
    for (const act of [made('chief', 'asker'), made('asker', 'chief')]) {
      expect(refused(opened(), glass('chief'), facts([act]))).toMatchObject({ code: 'approval.bypass-own-request', tie: { act } });
    }
    const edited: Approval = { ...opened(), editors: ['chief'] };
    expect(refused(edited, glass('chief'), facts([]))?.code).toBe('approval.bypass-own-request');
  });

  it('count later for somebody who was named from outside, a no like a yes; what is one’s own can be withdrawn at once', () => {
    const named = facts([], { counts_from: 1 });
    expect(refused(opened(), approve('one'), named)).toMatchObject({ code: 'tenant.naming-waits', counts_from: '1970-01-01T00:00:00.001Z' });
    expect(refused(opened(), { kind: 'break-glass', by: person('chief'), digest: 'd' }, named)?.code).toBe('tenant.naming-waits');
    expect(refused(opened(), { ...approve('one'), kind: 'reject' }, named)?.code).toBe('tenant.naming-waits');
    expect(refused(opened(), { kind: 'withdraw', by: person('one') }, named)).toBeNull();
    expect(personRefusal(opened(), approve('one'), named, 1)).toBeNull();
  });

  it('say no once, edit only their own, and take back freely', () => {
    const no = { ...approve('one'), kind: 'reject' } as const;
    expect(refused(opened(), no, facts([], { rejected_at: '2026-05-03T00:00:00Z' }))).toMatchObject({ code: 'approval.rejected-before' });
    expect(refused(opened(), no, facts([made('asker', 'one')]))).toBeNull();
    const edit = (user_id: string) => ({ kind: 'edit', by: person(user_id), digest: 'd', new_digest: 'e' }) as const;
    expect(refused(opened(), edit('one'), facts([]))?.code).toBe('approval.not-author');
    expect(refused({ ...opened(), editors: ['one'] }, edit('one'), facts([]))?.code).toBe('approval.not-author');
    expect(refused(opened(), edit('asker'), facts([]))).toBeNull();
    for (const kind of ['cancel', 'withdraw'] as const) expect(refused(opened(), { kind, by: person('one') }, facts([made('one', 'asker')]))).toBeNull();
  });
});

describe('votes that count no more', () => {
  it('are those that are tied to an author or to an earlier vote that stands', () => {
    const someone = fc.constantFrom(...few);
    const request = fc.record({
      requested_by: someone,
      editors: fc.subarray([...few], { maxLength: 1 }),
      voters: fc.shuffledSubarray([...few], { maxLength: 4 }),
      bypassed_by: fc.option(someone),
    });
    fc.assert(
      fc.property(actsAmong(few, 5), request, (acts, { requested_by, editors, voters, bypassed_by }) => {
        const approvals = voters.map((approver_id) => ({ approver_id, step: 0 }));
        const tied = tiedVotes({ ...opened(), requested_by, editors, approvals, bypassed_by }, new Independence(acts));
        const authors = [requested_by, ...editors];
        const standing = voters.filter((id) => !tied.includes(id));
        const isFine = (id: string, others: string[]) => others.every((other) => naiveApart(acts, id, other));
        for (const id of standing) {
          if (id !== bypassed_by) expect(isFine(id, [...authors, ...standing.filter((other) => other !== id)])).toBe(true);
        }
        for (const id of voters.filter((one) => tied.includes(one) && one !== bypassed_by)) {
          expect(isFine(id, [...authors, ...standing.slice(0, standing.findLastIndex((other) => voters.indexOf(other) < voters.indexOf(id)) + 1)])).toBe(false);
        }
        if (bypassed_by !== null && !voters.includes(bypassed_by)) expect(tied.includes(bypassed_by)).toBe(!isFine(bypassed_by, authors));
      }),
      { numRuns: 3_000 },
    );
  });

  it('fall at execution, those of later steps with them', () => {
    const steps = [step(['r']), step(['r'])];
    const approved = [approve('one'), approve('two')].reduce((approval, command) => applyCommand(approval, command, 0), opened({ steps }));
    const lost = tiedVotes(approved, new Independence([made('one', 'asker')]));
    expect(lost).toEqual(['one']);
    expect(applyCommand(approved, { kind: 'return-to-review', lost }, 0)).toMatchObject({ status: 'pending', approvals: [] });
  });
});
