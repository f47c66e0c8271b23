import { approvalsOf, openStep } from './approval.ts';
import type { Approval, ApprovalStatus } from './approval.ts';
import type { ApprovalPolicy } from './approval-policy.ts';
import type { JsonValue } from '../shared/canonical.ts';

/** How many approvals one step of the policy has. */
export interface StepProgress {
  name: string;
  quorum: number;
  approvals: number;
  approved_by: string[];
}

/** One thing that a change replaces, as approvers read it. Never a secret. */
export interface ChangeDetail {
  /** In plain words, e.g. `role` or `rollout percentage`. */
  field: string;
  /** Null where there was nothing. */
  before: JsonValue;
  /** Null where nothing remains. */
  after: JsonValue;
}

/** A request as it is displayed: in lists, answers and workflow results. It never holds the payload. */
export interface ApprovalView {
  id: string;
  action: string;
  environment: string | null;
  status: ApprovalStatus;
  revision: number;
  digest: string;
  requested_by: string;
  editors: string[];
  reason: string | null;
  policy: ApprovalPolicy;
  steps: StepProgress[];
  /** Index of the step that waits for approvals, or null. */
  open_step: number | null;
  bypassed_by: string | null;
  bypass_reason: string | null;
  /** RFC 3339, as all timestamps here. */
  review_due_at: string;
  execution_due_at: string | null;
  failure_code: string | null;
  failure_detail: string | null;
  workflow_id: string;
  version: number;
  created_at: string;
  updated_at: string;
  closed_at: string | null;
}

/** The columns of a request that are not part of its state ({@link Approval}). */
export type ApprovalFacts = Pick<
  ApprovalView,
  | 'id'
  | 'action'
  | 'environment'
  | 'reason'
  | 'bypass_reason'
  | 'failure_code'
  | 'failure_detail'
  | 'workflow_id'
  | 'version'
  | 'created_at'
  | 'updated_at'
  | 'closed_at'
>;

/** A request as it is displayed, out of its state and its other columns. */
export function presentApproval(facts: ApprovalFacts, approval: Approval): ApprovalView {
  return {
    id: facts.id,
    action: facts.action,
    environment: facts.environment,
    status: approval.status,
    revision: approval.revision,
    digest: approval.digest,
    requested_by: approval.requested_by,
    editors: approval.editors,
    reason: facts.reason,
    policy: approval.policy,
    steps: stepProgress(approval),
    open_step: approval.status === 'pending' ? openStep(approval) : null,
    bypassed_by: approval.bypassed_by,
    bypass_reason: facts.bypass_reason,
    review_due_at: new Date(approval.review_due_at).toISOString(),
    execution_due_at: approval.execution_due_at === null ? null : new Date(approval.execution_due_at).toISOString(),
    failure_code: facts.failure_code,
    failure_detail: facts.failure_detail,
    workflow_id: facts.workflow_id,
    version: facts.version,
    created_at: facts.created_at,
    updated_at: facts.updated_at,
    closed_at: facts.closed_at,
  };
}

/** The progress of each step, in order. */
function stepProgress(approval: Pick<Approval, 'policy' | 'approvals'>): StepProgress[] {
  return approval.policy.steps.map((step, index) => ({
    name: step.name,
    quorum: step.quorum,
    approvals: approvalsOf(approval, index),
    approved_by: approval.approvals.filter((counted) => counted.step === index).map((counted) => counted.approver_id),
  }));
}

/** The state of a request in words (Markdown), for operators in Temporal Web. Names steps and counts, never persons. */
export function describeApproval(approval: Approval): string {
  switch (approval.status) {
    case 'pending': {
      const index = openStep(approval) ?? 0;
      const step = stepProgress(approval)[index];
      const until = new Date(approval.review_due_at).toISOString();
      if (step === undefined) return `**Waiting for review** until ${until}.`;
      const position = `step ${index + 1} of ${approval.policy.steps.length}`;
      return `**Waiting for review** until ${until}: ${position}, '${step.name}', ${step.approvals} of ${step.quorum} approvals.`;
    }
    case 'approved': {
      const how = approval.bypassed_by === null ? 'Approved' : 'Approved by breaking the glass';
      return `**${how}**: to be executed before ${new Date(approval.execution_due_at ?? 0).toISOString()}.`;
    }
    case 'rejected':
      return '**Rejected.** Nothing was changed.';
    case 'expired':
      return `**Expired** ${approval.execution_due_at === null ? 'before it was approved' : 'after it was approved'}. Nothing was changed.`;
    case 'cancelled':
      return '**Cancelled.** Nothing was changed.';
    case 'executed':
      return '**Executed.** The change is in force.';
    case 'failed':
      return '**Failed.** The change could not be made; nothing was changed.';
  }
}
