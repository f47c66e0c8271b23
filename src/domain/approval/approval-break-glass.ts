import type { Refusal } from './approval.ts';

/** The review that a bypass or an emergency switch-off owes: somebody else judges it before it is due. */
interface BreakGlassReview {
  /** The person who acted without the usual approvals. */
  user_id: string;
  /** Milliseconds since the epoch. */
  due_at: number;
  reviewed_at: number | null;
}

/** True when the review is due and not done. */
function isOverdue(review: BreakGlassReview, now: number): boolean {
  return review.reviewed_at === null && review.due_at <= now;
}

/**
 * Why a person is barred from another bypass: the review of an earlier one is overdue. Null when they are not.
 * Switching a flag off in an emergency is never barred, because it is the safe direction.
 */
export function bypassBarred(reviews: readonly BreakGlassReview[], userId: string, now: number): Refusal | null {
  if (!reviews.some((review) => review.user_id === userId && isOverdue(review, now))) return null;
  return {
    code: 'approval.bypass-barred',
    detail: 'The review of an earlier emergency change of yours is overdue; until it is done you cannot make another.',
  };
}

/** Why a person may not close a review: it is done, or about a change of their own. Null when they may. */
export function mayNotReview(review: BreakGlassReview, userId: string): Refusal | null {
  if (review.reviewed_at !== null) return { code: 'approval.review-closed', detail: 'The review is done already.' };
  if (review.user_id === userId) {
    return { code: 'approval.own-request', detail: 'You cannot review your own emergency change.' };
  }
  return null;
}
