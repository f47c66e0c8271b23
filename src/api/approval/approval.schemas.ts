import { z } from 'zod';
import { approvalStatuses } from '../../domain/approval/approval.ts';
import { accountActKinds } from '../../domain/approval/independence.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { proseText, sha256Hex, timestamp, uuid } from '../../platform/value-schemas.ts';

/** The digest of a change, see `changeDigest`. */
export const digest = sha256Hex.describe('SHA-256 of the canonical change (RFC 8785), in hex');

export const environmentName = z.enum(environmentNames);

/** Why a request for approval is not opened, whatever the change. */
export const openingProblems = [
  'approval.policy-unsatisfiable',
  'approval.no-second-person',
  'approval.identical-open',
  'approval.too-many-open',
] as const;

/** The windows of a policy as it is: earlier releases took shorter ones than are written today. */
export const shownWindows = {
  review_window_seconds: z.int(),
  execution_window_seconds: z.int(),
  reminder_interval_seconds: z.int(),
  bypass_review_seconds: z.int(),
};

const frozenPolicy = z.object({
  steps: z.array(z.object({ name: z.string(), roles: z.array(z.string()), users: z.array(uuid), quorum: z.int() })),
  ...shownWindows,
  independence_days: z.int().optional(),
  bypassers: z.array(uuid),
});

/** A request as it is displayed. */
export const ApprovalBody = z
  .object({
    id: uuid,
    action: z.string(),
    environment: environmentName.nullable(),
    status: z.enum(approvalStatuses),
    revision: z.int(),
    digest,
    requested_by: uuid,
    editors: z
      .array(uuid)
      .describe('Who else wrote what it carries: who edited it, or wrote the proposal or link that it refers to. None of them decides on it'),
    reason: z.string().nullable(),
    policy: frozenPolicy.describe('As it was when the request was opened'),
    steps: z.array(z.object({ name: z.string(), quorum: z.int(), approvals: z.int(), approved_by: z.array(uuid) })),
    open_step: z.int().nullable().describe('Index of the step that waits for approvals'),
    bypassed_by: uuid.nullable(),
    bypass_reason: z.string().nullable(),
    review_due_at: timestamp,
    execution_due_at: timestamp.nullable(),
    failure_code: z.string().nullable(),
    failure_detail: z.string().nullable(),
    workflow_id: z.string(),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
    closed_at: timestamp.nullable(),
  })
  .meta({ id: 'Approval' });

const changeDetail = z
  .object({ field: z.string(), before: z.json().describe('Null where there was nothing'), after: z.json() })
  .meta({ id: 'ChangeDetail' });

const decidability = z
  .object({
    allowed: z.boolean(),
    code: z.string().nullable().describe('Why not, as a problem code'),
    detail: z.string().nullable(),
    because: z
      .object({
        kind: z.enum(accountActKinds),
        actor_id: uuid,
        actor_name: z.string().nullable(),
        target_id: uuid,
        target_name: z.string().nullable(),
        at: timestamp,
        is_alone: z.boolean().describe('Nobody else has approved it, so it does not age out'),
      })
      .nullable()
      .describe('What somebody did to an account, because of which the two do not count apart'),
    needs: z.enum(['confirmation', 'another_person']).nullable(),
    counts_from: timestamp.nullable(),
  })
  .meta({ id: 'Decidability' });

/** A request as lists and details show it to the caller. */
export const ListedApprovalBody = ApprovalBody.extend({
  description: z.string().describe('What the change does, in words, as it was when the request was opened'),
  changes: z.array(changeDetail).describe('What is replaced; empty for a change that replaces nothing'),
  requested_by_name: z.string().nullable(),
  names: z.record(uuid, z.string()).describe('Names of the users whom the request mentions'),
  is_stale: z.boolean().describe('What it would replace has changed since; it can still be rejected'),
  base_version: z.int().nullable(),
  current_version: z.int().nullable().describe('May differ from base_version while the request is not stale: by what it does not touch'),
  can_decide: decidability.nullable().describe('Whether the caller could approve now. Rejecting depends on less: what is stale can be rejected. Null once it is closed'),
}).meta({ id: 'ListedApproval' });

const decision = z.object({
  id: uuid,
  revision: z.int(),
  step: z.int().nullable(),
  approver_id: uuid,
  approver_roles: z.array(z.string()),
  verdict: z.enum(['approved', 'rejected', 'bypassed']),
  reason: z.string().nullable(),
  voided_at: timestamp.nullable(),
  void_reason: z.enum(['edited', 'right_lost', 'withdrawn', 'not_independent']).nullable(),
  created_at: timestamp,
});

/** A request with its change and all decisions. */
export const ApprovalDetailBody = ListedApprovalBody.extend({
  payload: z.json().describe('Null where the payload holds a secret or was erased'),
  payload_erased_at: timestamp.nullable().describe('When it was erased, with a person that it named'),
  decisions: z.array(decision),
  undo: z
    .object({ action: z.string(), payload: z.json() })
    .nullable()
    .describe('A request that would undo the executed change'),
}).meta({ id: 'ApprovalDetail' });

/** One transition of a request. */
export const ApprovalHistoryBody = z
  .object({
    id: uuid,
    approval_id: uuid,
    action: z.string(),
    environment: environmentName.nullable(),
    event: z.string(),
    from_status: z.enum(approvalStatuses).nullable(),
    to_status: z.enum(approvalStatuses),
    revision: z.int(),
    digest,
    actor_id: uuid.nullable(),
    reason: z.string().nullable(),
    details: z.record(z.string(), z.json()),
    position: z.int(),
    created_at: timestamp,
  })
  .meta({ id: 'ApprovalHistoryEntry' });

/** The reason of a decision; never deleted. */
export const decisionReason = proseText(1000);

/** The review of an emergency change. */
export const BreakGlassReviewBody = z
  .object({
    id: uuid,
    kind: z.enum(['bypass', 'emergency_off', 'rollout_abort']),
    approval_id: uuid.nullable(),
    subject: z.string(),
    user_id: uuid.describe('Who acted'),
    reason: z.string(),
    due_at: timestamp,
    verdict: z.enum(['justified', 'not_justified']).nullable(),
    comment: z.string().nullable(),
    reviewed_by: uuid.nullable(),
    reviewed_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'BreakGlassReview' });
