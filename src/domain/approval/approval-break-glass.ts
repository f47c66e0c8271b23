import type { Independence } from './independence.ts';
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
 * Why some people, who bypasses and the authors, are barred from another bypass: a review of an earlier one is overdue (R7).
 * Null when they are not.
 * Switching a flag off in an emergency is never barred, because it is the safe direction.
 */
export function bypassBarred(reviews: readonly BreakGlassReview[], people: readonly string[], now: number): Refusal | null {
  if (!reviews.some((review) => people.includes(review.user_id) && isOverdue(review, now))) return null;
  return {
    code: 'approval.bypass-barred',
    detail:
      'The review of an earlier emergency change of yours, or of the authors of this request, is overdue; until it is done ' +
      'there cannot be another.',
  };
}

/** Who would close a review. */
interface Reviewer {
  readonly user_id: string;
  /** Whoever acted, and the authors of the request. */
  readonly involved: readonly string[];
  readonly independence: Independence;
}

/**
 * Why a person may not close a review: it is done, or they are not apart from whoever acted and from the authors (R7). Null
 * when they may.
 */
export function mayNotReview(review: BreakGlassReview, { user_id, involved, independence }: Reviewer): Refusal | null {
  if (review.reviewed_at !== null) return { code: 'approval.review-closed', detail: 'The review is done already.' };
  if (involved.includes(user_id)) {
    return { code: 'approval.own-request', detail: 'You cannot review an emergency change of your own.' };
  }
  if (!independence.isApartFromAll(user_id, involved)) {
    return { code: 'approval.not-independent', detail: 'You do not count apart from the people of this emergency change.' };
  }
  return null;
}
