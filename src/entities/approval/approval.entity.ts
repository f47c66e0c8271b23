import type { ApprovalStatus } from '../../domain/approval/approval.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { ChangeDetail } from '../../domain/approval/approval-presentation.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** The payload of a change under the digest that people approve. Never changed; erased with a person that it names. */
export const ApprovalPayloadEntity = defineEntity({
  name: 'ApprovalPayload',
  tableName: 'admin_approval_payloads',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    digest: p.text(),
    action: p.text(),
    environment: p.text().nullable().$type<EnvironmentName>(),
    payload: jsonb<JsonValue>().nullable(),
    /** Instead of `payload` where the action's payload holds a secret. */
    payload_ciphertext: p.text().nullable(),
    /** When it was erased with a person; then both payload columns are null. */
    erased_at: timestamp().nullable(),
  },
});

/** An approval request with the approval policy it keeps (S2-53). Only the activities of its workflow write it. */
export const ApprovalEntity = defineEntity({
  name: 'Approval',
  tableName: 'admin_approvals',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    id: p.uuid().primary(),
    action: p.text(),
    environment: p.text().nullable().$type<EnvironmentName>(),
    status: p.text().default('pending').$type<ApprovalStatus>(),
    revision: p.integer().default(1),
    digest: p.text(),
    requested_by: p.uuid(),
    editors: p.array().columnType('uuid[]').defaultRaw("'{}'"),
    reason: p.text().nullable(),
    policy: jsonb<ApprovalPolicy>(),
    bypassed_by: p.uuid().nullable(),
    bypass_reason: p.text().nullable(),
    review_due_at: timestamp(),
    execution_due_at: timestamp().nullable(),
    executed_at: timestamp().nullable(),
    closed_at: timestamp().nullable(),
    result: jsonb<JsonValue>().nullable(),
    failure_code: p.text().nullable(),
    failure_detail: p.text().nullable(),
    /** What approvers read of the present revision, with the names it had then; null in requests of earlier releases. */
    description: p.text().nullable(),
    changes: jsonb<ChangeDetail[]>().nullable(),
    /** Digest of the values that the change replaces, where not its version tells whether it is stale. */
    basis_digest: p.text().nullable(),
    /** Digest of the change without its reasons; null in requests of earlier releases. */
    change_digest: p.text().nullable(),
    workflow_id: p.text(),
    ...versionedColumns,
  },
});

/** Why a decision does not count any more. */
export type VoidReason = 'edited' | 'right_lost' | 'withdrawn' | 'not_independent';

/** A person's decision on one revision of a request, with the proof of their second factor. */
export const ApprovalDecisionEntity = defineEntity({
  name: 'ApprovalDecision',
  tableName: 'admin_approval_decisions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    approval_id: p.uuid(),
    revision: p.integer(),
    digest: p.text(),
    /** Index of the policy step; only approvals have one. */
    step: p.integer().nullable(),
    approver_id: p.uuid(),
    approver_roles: p.array(),
    verdict: p.text().$type<'approved' | 'rejected' | 'bypassed'>(),
    reason: p.text().nullable(),
    mfa_proof_id: p.uuid(),
    voided_at: timestamp().nullable(),
    void_reason: p.text().nullable().$type<VoidReason>(),
  },
});

/** The transitions of a request, as its history names them. */
export const approvalEvents = [
  'opened',
  'approve',
  'reject',
  'break-glass',
  'edit',
  'cancel',
  'abort',
  'expire',
  'return-to-review',
  'execute',
  'fail',
  'withdraw',
] as const;

/** One of {@link approvalEvents}. */
export type ApprovalEvent = (typeof approvalEvents)[number];

/** Every transition of every request; never deleted (S2-53, S2-70). */
export const ApprovalHistoryEntity = defineEntity({
  name: 'ApprovalHistory',
  tableName: 'admin_approval_history',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    approval_id: p.uuid(),
    event: p.text().$type<ApprovalEvent>(),
    from_status: p.text().nullable().$type<ApprovalStatus>(),
    to_status: p.text().$type<ApprovalStatus>(),
    revision: p.integer(),
    digest: p.text(),
    actor_id: p.uuid().nullable(),
    reason: p.text().nullable(),
    details: jsonb<JsonObject>().defaultRaw("'{}'"),
    /** The version of the request after the transition; orders the transitions of one request. */
    position: p.integer(),
  },
});

/** The review that a bypass or an emergency switch-off owes. */
export const BreakGlassReviewEntity = defineEntity({
  name: 'BreakGlassReview',
  tableName: 'admin_break_glass_reviews',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    kind: p.text().$type<'bypass' | 'emergency_off' | 'rollout_abort'>(),
    approval_id: p.uuid().nullable(),
    subject: p.text(),
    user_id: p.uuid(),
    reason: p.text(),
    due_at: timestamp(),
    verdict: p.text().nullable().$type<'justified' | 'not_justified'>(),
    comment: p.text().nullable(),
    reviewed_by: p.uuid().nullable(),
    reviewed_at: timestamp().nullable(),
  },
});
