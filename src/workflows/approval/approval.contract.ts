import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { Approval, ApprovalCommand, ApprovalStatus } from '../../domain/approval/approval.ts';
import type { ApprovalPolicy, EligiblePerson } from '../../domain/approval/approval-policy.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** The type under which the workflow is registered. */
export const approvalWorkflowType = 'approvalWorkflow';

/** A person as a workflow knows them: by ids only. */
export interface PersonRef extends ActorRef {
  user_id: string;
}

/**
 * The input of a request. It does not hold the payload, which is in `admin_approval_payloads` under its digest. It holds
 * the approval policy with its windows, so that every timer of the workflow follows from its input.
 */
export interface ApprovalInput {
  requester: PersonRef;
  approval_id: string;
  action: string;
  environment: EnvironmentName | null;
  digest: string;
  reason: string | null;
  policy: ApprovalPolicy;
  /** The workflow ends when it has not been opened by then; missing in the input of earlier releases, which wait for ever. */
  open_within_ms?: number;
}

/** Longer than any caller waits for the opening. */
export const openWithinMs = 60_000;

/** A decision or cancellation as a person sends it. */
export interface PersonalMessage {
  actor: PersonRef;
  /** The roles that the API knew; the activity reads them again. */
  roles: string[];
  /** Digest of the payload that the person has seen. */
  digest: string;
  reason: string | null;
  /** Id of the proof of the second factor; consumed in the transaction that records the message. */
  mfa_proof_id: string;
  /** The command to be carried out (ADR 23); missing in messages of earlier releases. */
  command_id?: string;
}

/** An edit: another payload for the same request, whose approvals start again. */
export interface EditMessage extends PersonalMessage {
  new_digest: string;
}

/** The answer of every update: the committed row. */
export type ApprovalAnswer = ApprovalView;

/** The message of the update that is sent with the start. */
export interface OpenMessage {
  mfa_proof_id: string;
  command_id?: string;
}

export const openUpdate = defineUpdate<ApprovalAnswer, [OpenMessage]>('open');
export const approveUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('approve');
export const rejectUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('reject');
export const breakGlassUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('breakGlass');
export const cancelUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('cancel');
export const withdrawUpdate = defineUpdate<ApprovalAnswer, [PersonalMessage]>('withdraw');
export const editUpdate = defineUpdate<ApprovalAnswer, [EditMessage]>('edit');

/** The row has the given version, and the update that made it may have been lost before the workflow knew. */
export const refreshSignal = defineSignal<[{ version: number }]>('refresh');
/** The state of the request as the workflow holds it. */
export const stateQuery = defineQuery<Approval>('state');

/** How the workflow ended. */
export interface ApprovalOutcome {
  approval_id: string;
  status: ApprovalStatus | 'never-opened';
}

/** What people are notified of: a transition of the request, or a reminder. */
export type ApprovalNotification = 'opened' | 'reminder' | 'returned' | ApprovalStatus;

/** The answer of an activity: the committed request, as state and as it is displayed. */
export interface ApprovalRecord {
  approval: Approval;
  view: ApprovalView;
}

/** A request to be recorded; the workflow has computed the end of its review window. */
export interface OpenApproval extends ApprovalInput, OpenMessage {
  /** Milliseconds since the epoch. */
  review_due_at: number;
}

/** A command to be judged and recorded, with its sender and reason. */
export interface RecordCommand {
  actor: ActorRef;
  approval_id: string;
  command: Exclude<ApprovalCommand, { kind: 'execute' | 'return-to-review' | 'fail' }>;
  reason: string | null;
  mfa_proof_id: string | null;
  command_id?: string;
  /** The workflow's time, milliseconds since the epoch: both sides judge windows by the same clock. */
  at: number;
}

/** What an execution may run: exactly this revision with exactly this payload. */
export interface ExecuteApproval {
  /** The requester, in whose name the change is made. */
  actor: PersonRef;
  approval_id: string;
  revision: number;
  digest: string;
  /** Names the notification of its end, see {@link AnnounceApproval}; missing in attempts of earlier releases. */
  occurrence?: number;
}

/** The outcome of an execution. */
export interface ExecutedApproval extends ApprovalRecord {
  /** True when people have been notified of the end already. Missing in histories of releases that did it separately. */
  is_told?: boolean;
}

/** A notification about a request; `occurrence` distinguishes one reminder from the next. */
export interface AnnounceApproval {
  actor: ActorRef;
  approval_id: string;
  news: ApprovalNotification;
  occurrence: number;
}

/** The activities of the workflow; `src/activities/approval/approval.activities.ts`. */
export interface ApprovalActivities {
  openApproval(input: OpenApproval): Promise<ApprovalRecord>;
  /** The request, if it was written down after all; otherwise it never will be. */
  settleOpening(input: { actor: ActorRef; approval_id: string }): Promise<ApprovalRecord | null>;
  recordApprovalCommand(input: RecordCommand): Promise<ApprovalRecord>;
  /** The request as it is stored. */
  readApproval(input: { actor: ActorRef; approval_id: string }): Promise<ApprovalRecord>;
  failApproval(input: ExecuteApproval & { code: string; detail: string }): Promise<ApprovalRecord>;
  /** Makes the change and notifies people of it, as far as that is possible at once. */
  executeApproval(input: ExecuteApproval): Promise<ExecutedApproval>;
  announceApproval(input: AnnounceApproval): Promise<ApprovalRecord>;
}

/** The workflow id of a request. It holds the tenant, so that no tenant can address a request of another one. */
export function approvalWorkflowId(tenantId: string, approvalId: string): string {
  return `approval/${tenantId}/${approvalId}`;
}

/** The start options without the task queue, with search attributes and a description for Temporal Web. */
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

/** The sender of a message as the rules of the domain see them. */
export function personOf(message: PersonalMessage): EligiblePerson {
  return { user_id: message.actor.user_id, roles: message.roles };
}
