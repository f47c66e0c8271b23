import type { ApprovalStatus } from '../../domain/approval/approval.ts';
import { isJsonObject } from '../../domain/shared/canonical.ts';
import type { JsonValue } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { findAction, prepareStored } from '../actions/registry.ts';
import type { ActionRequest } from '../actions/action.ts';
import { approvalsQuery } from './approval-row.queries.ts';
import type { ApprovalEvent } from '../../entities/approval/approval.entity.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';

interface ListFilter {
  readonly status?: ApprovalStatus | undefined;
  readonly action?: string | undefined;
  readonly environment?: EnvironmentName | undefined;
  readonly requested_by?: string | undefined;
}

/** Requests with what approvers read of them, and their change. */
export function listedApprovalsQuery() {
  return approvalsQuery()
    .leftJoin('admin_approval_payloads as p', 'p.digest', 'a.digest')
    .select(['a.description', 'a.changes', 'p.payload', 'p.id as payload_id', 'p.payload_ciphertext']);
}

/** One page of requests, newest first. */
export function approvalListQuery(filter: ListFilter, page: Page) {
  const { status, action, environment, requested_by } = filter;
  return listedApprovalsQuery()
    .where((eb) =>
      eb.and({ 'a.status': status, 'a.action': action, 'a.environment': environment, 'a.requested_by': requested_by }),
    )
    .$call(newestFirst(page, { time: 'a.created_at', id: 'a.id' }));
}

/** The present payload of a request, and the result of its execution. */
export function payloadQuery(approvalId: string) {
  return kysely
    .selectFrom('admin_approvals as a')
    .innerJoin('admin_approval_payloads as p', (join) => join.onRef('p.digest', '=', 'a.digest'))
    .where('a.id', '=', approvalId)
    .select(['a.action', 'a.status', 'a.result', 'p.payload', 'p.erased_at as payload_erased_at']);
}

/** The payload of an executed request, encrypted where it holds a secret, and the result of its execution. */
export function executedChangeQuery(approvalId: string) {
  return kysely
    .selectFrom('admin_approvals as a')
    .innerJoin('admin_approval_payloads as p', (join) => join.onRef('p.digest', '=', 'a.digest'))
    .where('a.id', '=', approvalId)
    .where('a.status', '=', 'executed')
    .select(['a.action', 'a.result', 'p.id', 'p.environment', 'p.payload', 'p.payload_ciphertext']);
}

/** All decisions on a request, voided ones too. */
export function decisionsQuery(approvalId: string) {
  return kysely
    .selectFrom('admin_approval_decisions')
    .where('approval_id', '=', approvalId)
    .orderBy('created_at')
    .orderBy('id')
    .select([
      'id',
      'revision',
      'step',
      'approver_id',
      'approver_roles',
      'verdict',
      'reason',
      'voided_at',
      'void_reason',
    ])
    .select('created_at');
}

/** What the change of a request does in words, its payload unless secret, and the change that would undo it. */
export function describeChange(row: {
  action: string;
  status: ApprovalStatus;
  result: JsonValue | null;
  payload: JsonValue | null;
  payload_erased_at: string | null;
}): { description: string; payload: JsonValue; payload_erased_at: string | null; undo: ActionRequest | null } {
  const { payload, payload_erased_at } = row;
  const prepared = prepareStored(row.action, payload);
  if (prepared === null) {
    return { description: findAction(row.action)?.title ?? row.action, payload, payload_erased_at, undo: null };
  }
  const undo = row.status === 'executed' && isJsonObject(row.result) ? prepared.undo(row.result) : null;
  return { description: prepared.description, payload, payload_erased_at, undo };
}

interface HistoryFilter {
  readonly approval_id?: string | undefined;
  readonly actor_id?: string | undefined;
  readonly event?: ApprovalEvent | undefined;
}

/** One page of the transitions of all requests, newest first (S2-43, S2-78). */
export function approvalHistoryQuery(filter: HistoryFilter, page: Page) {
  const { approval_id, actor_id, event } = filter;
  return kysely
    .selectFrom('admin_approval_history as h')
    .innerJoin('admin_approvals as a', 'a.id', 'h.approval_id')
    .where((eb) => eb.and({ 'h.approval_id': approval_id, 'h.actor_id': actor_id, 'h.event': event }))
    .$call(newestFirst(page, { time: 'h.created_at', id: 'h.id' }))
    .select(['h.id', 'h.approval_id', 'a.action', 'a.environment', 'h.event', 'h.from_status', 'h.to_status'])
    .select(['h.revision', 'h.digest', 'h.actor_id', 'h.reason', 'h.details', 'h.position', 'h.created_at']);
}
