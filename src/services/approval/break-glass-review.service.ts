import { sql } from 'kysely';
import { bypassBarred, mayNotReview } from '../../domain/approval/approval-break-glass.ts';
import { authorsOf } from '../../domain/approval/approval-independence.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { independenceOf } from '../identity/account-act/account-act.queries.ts';
import { assertDecisionsCount } from '../identity/role/decider.queries.ts';
import { findAnswerablePerson } from '../identity/sign-in/answerable-person.queries.ts';
import { putSafeguardNews } from './safeguard-news.repository.ts';
import { authorsOfApprovalQuery } from './break-glass-review.queries.ts';

/** An emergency that somebody else must review. */
interface ReviewSubject {
  readonly kind: 'bypass' | 'emergency_off' | 'rollout_abort';
  /** The request whose authors do not close the review either: the bypassed one, or that of the aborted rollout. */
  readonly approval_id: string | null;
  /** What was changed, e.g. `feature flag checkout in production`. */
  readonly subject: string;
  readonly reason: string;
  readonly due_in_seconds: number;
}

/**
 * Opens the review that an emergency change owes, in the name of the person who answers for it, and has everybody told who
 * decides.
 *
 * @returns its id.
 * @throws Error when no person answers for it: nobody could be asked.
 */
export async function openBreakGlassReview(tx: Tx, review: ReviewSubject): Promise<string> {
  const { due_in_seconds, ...columns } = review;
  const user_id = await findAnswerablePerson(tx, tx.actor);
  if (user_id === null) throw new Error(`Nobody answers for the emergency change of ${review.subject}.`);
  const { id } = await tx.sql
    .insertInto('admin_break_glass_reviews')
    .values({
      ...columns,
      tenant_id: tx.actor.tenant_id,
      user_id,
      due_at: sql<string>`now() + make_interval(secs => ${due_in_seconds})`,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  putSafeguardNews(tx, 'emergency-change', { subject: review.subject });
  tx.audit({
    event: 'approval.review-opened',
    action: 'create',
    resource_type: 'approval',
    resource_id: review.approval_id ?? id,
    new_values: { review_id: id, user_id, ...review },
  });
  return id;
}

/**
 * @param people whoever would bypass, and the authors of the request: an overdue review bars all of them (R7).
 * @param now milliseconds since the epoch.
 * @throws Problem `approval.bypass-barred` while a review of an emergency change of one of them is overdue.
 */
export async function assertNotBarred(tx: Tx, people: readonly string[], now: number): Promise<void> {
  const open = await tx.sql
    .selectFrom('admin_break_glass_reviews')
    .where('user_id', 'in', [...people])
    .where('reviewed_at', 'is', null)
    .select(['user_id', 'due_at', 'reviewed_at'])
    .execute();
  const refused = bypassBarred(
    open.map(({ user_id, due_at }) => ({ user_id, due_at: Date.parse(due_at), reviewed_at: null })),
    people,
    now,
  );
  if (refused !== null) throw new Problem(refused);
}

/** The result of a review. */
interface ReviewVerdict {
  readonly verdict: 'justified' | 'not_justified';
  readonly comment: string;
}

/**
 * Closes a review.
 *
 * @throws Problem when there is none, it is done already, or is about a change of the actor's own; `tenant.naming-waits`.
 */
export async function closeBreakGlassReview(tx: Tx, id: string, { verdict, comment }: ReviewVerdict) {
  const row = await tx.sql
    .selectFrom('admin_break_glass_reviews')
    .where('id', '=', id)
    .selectAll()
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('review');
  await assertDecisionsCount(tx);
  const reviewedAt = row.reviewed_at === null ? null : Date.parse(row.reviewed_at);
  const reviewer = tx.actor.user_id ?? '';
  const { rows: authors } = await tx.sql.executeQuery(authorsOfApprovalQuery(row.approval_id).compile());
  const involved = [row.user_id, ...authors.flatMap(authorsOf)];
  const refused = mayNotReview(
    { user_id: row.user_id, due_at: Date.parse(row.due_at), reviewed_at: reviewedAt },
    { user_id: reviewer, involved, independence: await independenceOf(tx, tx.actor, [reviewer, ...involved]) },
  );
  if (refused !== null) throw new Problem(refused);
  const closed = await tx.sql
    .updateTable('admin_break_glass_reviews')
    .set({ verdict, comment, reviewed_by: reviewer, reviewed_at: sql<string>`now()` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'approval.review-closed',
    action: 'update',
    resource_type: 'approval',
    resource_id: row.approval_id ?? id,
    new_values: { review_id: id, verdict, comment },
  });
  return closed;
}
