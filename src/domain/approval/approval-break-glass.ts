import type { Refusal } from './approval.ts';

/** What a bypass or an emergency switch-off leaves behind: somebody else looks at it before the due time. */
export interface ForcedReview {
  /** The person who acted without the usual approvals. */
  user_id: string;
  /** Milliseconds since the epoch. */
  due_at: number;
  reviewed_at: number | null;
}

/** True when the review should have happened and has not. */
export function isOverdue(review: ForcedReview, now: number): boolean {
  return review.reviewed_at === null && review.due_at <= now;
}

/**
 * Whether a person is barred from another bypass: while a review of an earlier one is overdue. Switching a flag off in
 * an emergency is never barred: the safe direction stays open.
 */
export function bypassBarred(reviews: readonly ForcedReview[], userId: string, now: number): Refusal | null {
  if (!reviews.some((review) => review.user_id === userId && isOverdue(review, now))) return null;
  return {
    code: 'approval.bypass-barred',
    detail: 'The review of an earlier emergency change of yours is overdue; until it is done you cannot make another.',
  };
}

/** Whether a person may close a forced review: anybody who may decide, except the one it is about. */
export function mayNotReview(review: ForcedReview, userId: string): Refusal | null {
  if (review.reviewed_at !== null) return { code: 'approval.review-closed', detail: 'The review is done already.' };
  if (review.user_id === userId) {
    return { code: 'approval.own-request', detail: 'Nobody reviews an emergency change of their own.' };
  }
  return null;
}
