import { sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import type { Approval, CountedApproval } from '../../domain/approval/approval.ts';
import { presentApproval } from '../../domain/approval/approval-presentation.ts';
import type { ApprovalFacts, ApprovalView } from '../../domain/approval/approval-presentation.ts';
import { kysely } from '../../entities/kysely-schema.ts';

/** The columns of a request's state and of its display. */
export const approvalColumns = [
  'id',
  'action',
  'environment',
  'status',
  'revision',
  'digest',
  'basis_digest',
  'requested_by',
  'editors',
  'reason',
  'policy',
  'bypassed_by',
  'bypass_reason',
  'review_due_at',
  'execution_due_at',
  'failure_code',
  'failure_detail',
  'workflow_id',
  'version',
  'created_at',
  'updated_at',
  'closed_at',
] as const;

/** A row with {@link approvalColumns}. */
export interface ApprovalRow
  extends
    ApprovalFacts,
    Pick<Approval, 'status' | 'revision' | 'digest' | 'requested_by' | 'editors' | 'policy' | 'bypassed_by'> {
  /** Digest of the values that the change replaces, where those and not its version tell whether it is stale. */
  readonly basis_digest: string | null;
  /** Digest of the change without its reasons. */
  readonly change_digest: string;
  readonly review_due_at: string;
  readonly execution_due_at: string | null;
}

/**
 * The digest of the change of a request without its reasons. Requests of earlier releases have none; for all changes without a
 * reason it is their digest.
 *
 * @param table the alias of the requests in the query.
 */
export function changeOf(table = 'admin_approvals') {
  return sql<string>`coalesce(${sql.ref(`${table}.change_digest`)}, ${sql.ref(`${table}.digest`)})`;
}

/**
 * Requests with the approvals that count for their present revision, by step and time. Callers add filters, order and
 * limit.
 */
export function approvalsQuery() {
  return kysely
    .selectFrom('admin_approvals as a')
    .select(approvalColumns.map((column) => `a.${column}` as const))
    .select(changeOf('a').as('change_digest'))
    .select((eb) =>
      jsonArrayFrom(
        eb
          .selectFrom('admin_approval_decisions as d')
          .whereRef('d.approval_id', '=', 'a.id')
          .whereRef('d.revision', '=', 'a.revision')
          .where('d.verdict', '=', 'approved')
          .where('d.voided_at', 'is', null)
          .orderBy('d.step')
          .orderBy('d.created_at')
          .select(['d.approver_id', 'd.step'])
          .$narrowType<{ step: number }>(),
      ).as('approvals'),
    );
}

/** The state of a request, as the rules judge it. */
export function approvalOfRow(row: ApprovalRow, approvals: CountedApproval[]): Approval {
  return {
    status: row.status,
    revision: row.revision,
    digest: row.digest,
    requested_by: row.requested_by,
    editors: row.editors,
    policy: row.policy,
    approvals,
    bypassed_by: row.bypassed_by,
    review_due_at: Date.parse(row.review_due_at),
    execution_due_at: row.execution_due_at === null ? null : Date.parse(row.execution_due_at),
  };
}

/** A request as it is displayed. */
export function viewOfRow(row: ApprovalRow & { approvals: CountedApproval[] }): ApprovalView {
  return presentApproval(row, approvalOfRow(row, row.approvals));
}
