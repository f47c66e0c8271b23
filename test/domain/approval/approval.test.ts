import { describe, expect, it } from '@jest/globals';
import { applyCommand, openApproval, openStep, refusal } from '../../../src/domain/approval/approval.ts';
import type { Approval, ApprovalCommand } from '../../../src/domain/approval/approval.ts';
import { bypassBarred, mayNotReview } from '../../../src/domain/approval/approval-break-glass.ts';
import { defaultWindows, policyFaults } from '../../../src/domain/approval/approval-policy.ts';
import { Independence } from '../../../src/domain/approval/independence.ts';
import type { ApprovalPolicy, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';

const security = (user_id: string): EligiblePerson => ({ user_id, roles: ['security'] });
const platform = (user_id: string): EligiblePerson => ({ user_id, roles: ['platform'] });
const both = (user_id: string): EligiblePerson => ({ user_id, roles: ['security', 'platform'] });

const policy: ApprovalPolicy = {
  ...defaultWindows,
  steps: [
    { name: 'security', roles: ['security'], users: [], quorum: 1 },
    { name: 'platform', roles: ['platform'], users: [], quorum: 2 },
  ],
  bypassers: ['chief'],
};

const opened = (): Approval => openApproval({ digest: 'd1', requested_by: 'rita', policy }, 0);
const approve = (by: EligiblePerson, digest = 'd1'): ApprovalCommand => ({ kind: 'approve', by, digest });
const edit = (by: EligiblePerson, digest: string, new_digest: string): ApprovalCommand => ({
  kind: 'edit',
  by,
  digest,
  new_digest,
});
const after = (commands: ApprovalCommand[], from = opened()): Approval =>
  commands.reduce((approval, command) => applyCommand(approval, command, 1_000), from);
const code = (approval: Approval, command: ApprovalCommand, now = 1_000): string | undefined =>
  refusal(approval, command, now)?.code;

describe('approval request (S2-70)', () => {
  it('accepts exactly 1 of security AND 2 of platform, in that order', () => {
    expect(code(opened(), approve(platform('p1')))).toBe('approval.step-not-open');
    const first = after([approve(security('s1'))]);
    expect(openStep(first)).toBe(1);
    expect(code(first, approve(security('s2')))).toBe('approval.not-eligible');
    const second = after([approve(platform('p1'))], first);
    expect(second.status).toBe('pending');
    const third = after([approve(platform('p2'))], second);
    expect(third).toMatchObject({ status: 'approved', execution_due_at: 1_000 + 24 * 3600 * 1000 });
  });

  it('S2-70: neither requester nor any editor approves, whatever their roles', () => {
    expect(code(opened(), approve(both('rita')))).toBe('approval.own-request');
    const edited = after([edit(both('ed'), 'd1', 'd2'), edit(both('rita'), 'd2', 'd3')]);
    expect(code(edited, approve(both('ed'), 'd3'))).toBe('approval.own-request');
    expect(code(edited, { kind: 'reject', by: both('ed'), digest: 'd3' })).toBe('approval.own-request');
  });

  it('a person counts once, over all steps', () => {
    const first = after([approve(both('s1'))]);
    expect(code(first, approve(both('s1')))).toBe('approval.already-decided');
  });

  it('an edit changes the digest and voids all approvals', () => {
    const approved = after([approve(security('s1')), approve(platform('p1')), approve(platform('p2'))]);
    const edited = after([edit(platform('ed'), 'd1', 'd2')], approved);
    expect(edited).toMatchObject({
      status: 'pending',
      revision: 2,
      digest: 'd2',
      approvals: [],
      execution_due_at: null,
    });
    expect(code(edited, approve(security('s1'), 'd1'))).toBe('approval.digest-mismatch');
    expect(code(edited, approve(security('s1'), 'd2'))).toBeUndefined();
    expect(code(edited, edit(platform('ed'), 'd2', 'd2'))).toBe('approval.unchanged');
  });

  it('an approval falls with the right of its approver, and later steps fall with it', () => {
    const approved = after([approve(security('s1')), approve(platform('p1')), approve(platform('p2'))]);
    const withoutSecond = after([{ kind: 'return-to-review', lost: ['p2'] }], approved);
    expect(withoutSecond.approvals.map((counted) => counted.approver_id)).toEqual(['s1', 'p1']);
    const withoutFirst = after([{ kind: 'return-to-review', lost: ['s1'] }], approved);
    expect(withoutFirst).toMatchObject({ status: 'pending', approvals: [] });
  });

  it('S2-70: refuses decisions after the review window, which begins with the opening', () => {
    const due = 24 * 3600 * 1000;
    expect(code(opened(), approve(security('s1')), due - 1)).toBeUndefined();
    expect(code(opened(), approve(security('s1')), due)).toBe('approval.closed');
  });

  it('only a person whom the policy names can bypass it', () => {
    expect(code(opened(), { kind: 'break-glass', by: both('s1'), digest: 'd1' })).toBe('approval.bypass-refused');
    const broken = after([{ kind: 'break-glass', by: { user_id: 'chief', roles: [] }, digest: 'd1' }]);
    expect(broken).toMatchObject({ status: 'approved', bypassed_by: 'chief' });
    expect(after([{ kind: 'return-to-review', lost: ['chief'] }], broken).bypassed_by).toBeNull();
  });

  it('refuses every command once it is closed', () => {
    const endings: ApprovalCommand[] = [
      { kind: 'reject', by: security('s1'), digest: 'd1' },
      { kind: 'cancel', by: platform('rita') },
      { kind: 'expire' },
    ];
    for (const ending of endings) {
      const closed = after([ending]);
      for (const next of [...endings, approve(security('s2')), edit(platform('x'), 'd1', 'd2')]) {
        expect(code(closed, next)).toBe('approval.closed');
      }
    }
  });

  it('is executed only when it is approved', () => {
    expect(code(opened(), { kind: 'execute' })).toBe('approval.not-approved');
  });
});

describe('S2-70: an approval policy that cannot be met', () => {
  const people = [security('s1'), both('b1'), platform('p1')];
  const faults = (quorums: [number, number]): string[] =>
    policyFaults({ steps: policy.steps.map((step, index) => ({ ...step, quorum: quorums[index] ?? 0 })) }, people).map(
      (fault) => fault.path,
    );

  it('has a quorum of 0, none, a fractional or infinite one, or one above the eligible people', () => {
    for (const quorum of [0, -1, Number.NaN, 1.5, Number.POSITIVE_INFINITY, 3]) {
      expect(faults([quorum, 1])).toEqual(['/steps/0/quorum']);
    }
    expect(faults([1, 2])).toEqual([]);
    expect(policyFaults({ steps: [] }, people)).toHaveLength(1);
  });

  it('has quorums that only one person counted twice could meet', () => {
    expect(faults([2, 2])).toEqual(['/steps']);
    expect(faults([2, 1])).toEqual([]);
  });
});

describe('break-glass review', () => {
  const review = { user_id: 'chief', due_at: 100, reviewed_at: null };

  it('bars only whom it concerns, and only while it is overdue', () => {
    expect(bypassBarred([review], ['chief'], 99)).toBeNull();
    expect(bypassBarred([review], ['author', 'chief'], 100)?.code).toBe('approval.bypass-barred');
    expect(bypassBarred([review], ['other'], 100)).toBeNull();
    expect(bypassBarred([{ ...review, reviewed_at: 150 }], ['chief'], 200)).toBeNull();
  });

  it('is done once, by somebody else', () => {
    const puppet = { id: 'a', target_id: 'puppet', actor_id: 'author', kind: 'create', created_at: '', closes_at: null } as const;
    const by = (user_id: string) => ({ user_id, involved: ['chief', 'author'], independence: new Independence([puppet]) });
    expect(mayNotReview(review, by('chief'))?.code).toBe('approval.own-request');
    expect(mayNotReview(review, by('author'))?.code).toBe('approval.own-request');
    expect(mayNotReview(review, by('puppet'))?.code).toBe('approval.not-independent');
    expect(mayNotReview(review, by('other'))).toBeNull();
    expect(mayNotReview({ ...review, reviewed_at: 1 }, by('other'))?.code).toBe('approval.review-closed');
  });
});
