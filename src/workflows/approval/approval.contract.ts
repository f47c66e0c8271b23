import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { Approval, ApprovalCommand, ApprovalStatus } from '../../domain/approval/approval.ts';
import type { ApprovalPolicy, EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const approvalWorkflowType = 'approvalWorkflow';

/** A person in a workflow: ids only. */
export interface PersonRef extends ActorRef {
  user_id: string;
}

/**
 * What a request starts with. The payload is not in it: it lies in `admin_approval_payloads` under its digest. The
 * policy is frozen here, with its windows, so every timer of the workflow is an input.
 */
export interface ApprovalInput {
  requester: PersonRef;
  approval_id: string;
  action: string;
  environment: EnvironmentName | null;
  digest: string;
  reason: string | null;
  policy: ApprovalPolicy;
}

/** A decision or cancellation as a person sends it. */
export interface PersonalMessage {
  actor: PersonRef;
  /** Roles the API knew; the activity asks the database again. */
  roles: string[];
  /** Digest of the payload that the person was shown. */
  digest: string;
  reason: string | null;
  /** Id of the factor proof; consumed in the transaction that records the message. */
  mfa_proof_id: string;
}

/** Another payload for the same request; its approvals start again. */
export interface EditMessage extends PersonalMessage {
  new_digest: string;
}

/** The answer of every update: the committed row. */
export type ApprovalAnswer = ApprovalView;

/** What comes with the start: the proof that the requester's second factor was checked. */
export interface OpenMessage {
  mfa_proof_id: string;
}

export const openUpdate = defineUpdate<ApprovalAnswer, [OpenMessage]>('open');
export const approveUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('approve');
export const rejectUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('reject');
export const breakGlassUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('breakGlass');
export const cancelUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('cancel');
export const editUpdate = defineUpdate<ApprovalAnswer, [EditMessage]>('edit');

/** The request as the workflow holds it. */
export const stateQuery = defineQuery<Approval>('state');

/** How the workflow ended. */
export interface ApprovalOutcome {
  approval_id: string;
  status: ApprovalStatus;
}

/** What happened to a request that people are told about. */
export type ApprovalNotification = 'opened' | 'reminder' | 'returned' | ApprovalStatus;

/** A request after an activity: its state and the row that everybody is shown, as committed. */
export interface ApprovalRecord {
  approval: Approval;
  view: ApprovalView;
}

/** A request to write down; the workflow has computed the end of its review window. */
export interface OpenApproval extends ApprovalInput, OpenMessage {
  /** Milliseconds since the epoch. */
  review_due_at: number;
}

/** A command to judge and write, with who sent it and why. */
export interface RecordCommand {
  actor: ActorRef;
  approval_id: string;
  command: Exclude<ApprovalCommand, { kind: 'execute' | 'return-to-review' | 'fail' }>;
  reason: string | null;
  mfa_proof_id: string | null;
  /** The workflow's time, milliseconds since the epoch: both sides judge windows by the same clock. */
  at: number;
}

/** What an execution attempt is allowed to run: exactly this revision with exactly this payload. */
export interface ExecuteApproval {
  /** The requester, in whose name the change is made. */
  actor: PersonRef;
  approval_id: string;
  revision: number;
  digest: string;
  /** Names the news of its end, see {@link AnnounceApproval}; missing in attempts that an earlier build has scheduled. */
  occurrence?: number;
}

/** What an attempt came to. */
export interface ExecutedApproval extends ApprovalRecord {
  /** True when people have been told of the end already. Missing in histories of builds that told apart. */
  is_told?: boolean;
}

/** News of a request; `occurrence` tells one reminder from the next. */
export interface AnnounceApproval {
  actor: ActorRef;
  approval_id: string;
  news: ApprovalNotification;
  occurrence: number;
}

/** The hands of the workflow; `src/activities/approval/approval.activities.ts`. */
export interface ApprovalActivities {
  openApproval(input: OpenApproval): Promise<ApprovalRecord>;
  recordApprovalCommand(input: RecordCommand): Promise<ApprovalRecord>;
  failApproval(input: ExecuteApproval & { code: string; detail: string }): Promise<ApprovalRecord>;
  /** Makes the change and tells people of it, as far as that can be done at once. */
  executeApproval(input: ExecuteApproval): Promise<ExecutedApproval>;
  announceApproval(input: AnnounceApproval): Promise<ApprovalRecord>;
}

/** Id of a request's workflow; the tenant in it keeps one tenant's ids apart from another's. */
export function approvalWorkflowId(tenantId: string, approvalId: string): string {
  return `approval/${tenantId}/${approvalId}`;
}

/** Everything but the task queue that a start needs, in words for Temporal Web and ids for its search. */
export function approvalStartOptions(input: ApprovalInput) {
  const where = input.environment === null ? '' : ` in ${input.environment}`;
  return {
    workflowId: approvalWorkflowId(input.requester.tenant_id, input.approval_id),
    args: [input] as [ApprovalInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.tenantId, value: input.requester.tenant_id },
      { key: searchAttributes.approvalState, value: 'pending' satisfies ApprovalStatus },
      { key: searchAttributes.actionType, value: input.action },
      { key: searchAttributes.requestedBy, value: input.requester.user_id },
    ]),
    staticSummary: `Approval of ${input.action}${where}`,
    staticDetails: [
      `Approval request \`${input.approval_id}\` for the action \`${input.action}\`${where}.`,
      `Requested by user \`${input.requester.user_id}\`; payload digest \`${input.digest}\`.`,
      `Steps in order: ${input.policy.steps.map((step) => `${step.quorum} for '${step.name}'`).join(', then ')}.`,
    ].join('\n\n'),
  };
}

/** The person of a message as the rules see them. */
export function personOf(message: PersonalMessage): EligiblePerson {
  return { user_id: message.actor.user_id, roles: message.roles };
}
