import { randomUUID } from 'node:crypto';
import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { day, fromNow, hour } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, Row, Target } from './row-insertion.ts';

/** A gate policy; it asks for the second factor where no other gate is given. */
export function createApprovalPolicy(
  target: Target,
  columns: Given<'admin_approval_policies', 'action'>,
): Promise<Row<'admin_approval_policies'>> {
  return insertRow(target, 'admin_approval_policies', {
    tenant_id: defaultTenantId,
    gate: 'mfa',
    review_window_seconds: hour,
    execution_window_seconds: hour,
    reminder_interval_seconds: 0,
    bypass_review_seconds: hour,
    ...columns,
  });
}

/** The payload of a change, under the digest that people approve. */
export function createApprovalPayload(
  target: Target,
  columns: Columns<'admin_approval_payloads'> = {},
): Promise<Row<'admin_approval_payloads'>> {
  return insertRow(target, 'admin_approval_payloads', {
    tenant_id: defaultTenantId,
    digest: randomUUID().replaceAll('-', '').repeat(2),
    action: 'flag.toggle',
    environment: 'production',
    payload: jsonb({}),
    ...columns,
  });
}

/** A pending request for one administrator's approval, without a workflow. Its payload must exist. */
export function createApproval(
  target: Target,
  columns: Given<'admin_approvals', 'digest' | 'requested_by'>,
): Promise<Row<'admin_approvals'>> {
  return insertRow(target, 'admin_approvals', {
    id: randomUUID(),
    tenant_id: defaultTenantId,
    action: 'flag.toggle',
    environment: 'production',
    policy: jsonb(safePolicy),
    review_due_at: fromNow(day),
    workflow_id: 'no-workflow',
    ...columns,
  });
}

/** An approval of the first step, with a proof that does not exist. */
export function createApprovalDecision(
  target: Target,
  columns: Given<'admin_approval_decisions', 'approval_id' | 'digest' | 'approver_id'>,
): Promise<Row<'admin_approval_decisions'>> {
  return insertRow(target, 'admin_approval_decisions', {
    tenant_id: defaultTenantId,
    revision: 1,
    step: 0,
    approver_roles: [],
    verdict: 'approved',
    mfa_proof_id: randomUUID(),
    ...columns,
  });
}

/** The open review of an emergency switch-off. */
export function createBreakGlassReview(
  target: Target,
  columns: Given<'admin_break_glass_reviews', 'user_id'>,
): Promise<Row<'admin_break_glass_reviews'>> {
  return insertRow(target, 'admin_break_glass_reviews', {
    tenant_id: defaultTenantId,
    kind: 'emergency_off',
    subject: 'a flag',
    reason: 'it was on fire',
    due_at: fromNow(day),
    ...columns,
  });
}
