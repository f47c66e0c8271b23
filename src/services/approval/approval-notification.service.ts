import type { Actor } from '../../domain/shared/actor.ts';
import { openStep } from '../../domain/approval/approval.ts';
import { isEligible } from '../../domain/approval/approval-policy.ts';
import { activeDeciders } from '../identity/role/decider.queries.ts';
import { candidatesQuery, deciders, rightsOfRows } from './eligible-people.queries.ts';
import { approvalOfRow } from './approval-row.queries.ts';
import { requestText } from './approval-text.ts';
import { describeChange, listedApprovalsQuery } from './approval.queries.ts';
import { userName } from '../identity/user-names.queries.ts';
import type { Database } from '../../platform/database/database.ts';
import { notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import type { AnnounceApproval, ApprovalRecord } from '../../workflows/approval/approval.contract.ts';
import { recordOf } from './approval.repository.ts';
import type { StoredApproval } from './approval.repository.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';

/** Notifies of a request: the approvers of the open step while it waits, else its authors (S2-59). */
export async function notifyOfApproval(
  { db, notify, publicUrl }: { db: Database; notify: Notify; publicUrl: string },
  actor: Actor,
  { approval_id, news, occurrence }: AnnounceApproval,
): Promise<ApprovalRecord> {
  const [row] = await read(db, actor, listedApprovalsQuery().where('a.id', '=', approval_id));
  if (row === undefined) throw notFound('approval request');
  const stored = { row, approval: approvalOfRow(row, row.approvals) };
  const where = row.environment === null ? '' : ` in ${row.environment}`;
  const data = {
    approval_id,
    action: row.action,
    environment: row.environment,
    status: row.status,
    revision: row.revision,
    digest: row.digest,
    requested_by: row.requested_by,
    review_due_at: row.review_due_at,
  };
  await notify(
    actor,
    {
      event: `approval.${news}`,
      event_key: `approval/${approval_id}/${news}/${occurrence}`,
      subject: `${headlines[news]}: ${row.action}${where}`,
      text: requestText({
        headline: `${headlines[news]}: ${row.action}${where}`,
        description: row.description ?? describeChange({ ...row, result: null, payload_erased_at: null }).description,
        changes: row.changes ?? [],
        requested_by: await userName(db, actor, row.requested_by),
        reason: row.reason,
        decide_until: row.status === 'pending' ? row.review_due_at : null,
        link: new URL(`/admin/approvals/${approval_id}`, publicUrl).href,
      }),
      data,
    },
    await recipients(db, actor, stored),
  );
  return recordOf(stored);
}

const headlines = {
  opened: 'A change waits for your approval',
  reminder: 'A change still waits for your approval',
  returned: 'An approved change went back to review',
  pending: 'A change waits for your approval',
  approved: 'A change was approved',
  rejected: 'A change was rejected',
  expired: 'A request expired before the change was made',
  cancelled: 'A request was cancelled',
  executed: 'An approved change was made',
  failed: 'An approved change could not be made',
} as const satisfies Record<AnnounceApproval['news'], string>;

async function recipients(db: Database, actor: Actor, { approval }: StoredApproval): Promise<string[]> {
  const authors = [approval.requested_by, ...approval.editors];
  const step = approval.status === 'pending' ? approval.policy.steps[openStep(approval) ?? 0] : undefined;
  // Everybody who decides learns that nobody was asked (R13).
  if (step === undefined && approval.bypassed_by !== null) return [...new Set([...authors, ...(await activeDeciders(db, actor))])];
  if (step === undefined) return authors;
  const people = deciders(rightsOfRows(await read(db, actor, candidatesQuery([step]))));
  const asked = people.filter((person) => isEligible(step, person)).map(({ user_id }) => user_id);
  const decided = approval.approvals.map(({ approver_id }) => approver_id);
  return asked.filter((userId) => !authors.includes(userId) && !decided.includes(userId));
}
