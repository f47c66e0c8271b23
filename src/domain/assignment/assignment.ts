import type { AutoAssignReason } from './auto-assign.ts';

/** Why a contact has its owner: chosen by the rule (`dealt`), assigned by hand, or reassigned from another person. */
export type AssignmentReason =
  | ({ readonly kind: 'dealt'; readonly from_user_id: string | null } & AutoAssignReason)
  | { readonly kind: 'manual'; readonly from_user_id: string | null }
  | { readonly kind: 'handed_over'; readonly from_user_id: string };

/** Why a contact waits: nobody in the pool could take it, others wait before it, or it has no campaign and so no pool. */
export type QueueReason =
  | ({ readonly kind: 'no_candidate' } & AutoAssignReason)
  | { readonly kind: 'behind_others' }
  | { readonly kind: 'no_campaign' };

/** What is done with a contact that has another owner already (S3-41). */
export const conflictRules = ['skip', 'reassign', 'fail'] as const;
export type ConflictRule = (typeof conflictRules)[number];

/** The outcome of one contact or campaign of a request (S3-41); `queued`: nobody could take it, so it waits. */
export const assignmentOutcomes = ['assigned', 'queued', 'skipped', 'conflict'] as const;
export type AssignmentOutcome = (typeof assignmentOutcomes)[number];

/** The reason of an outcome. */
export const outcomeDetails = [
  'by_hand',
  'dealt',
  'previous_owner',
  'handed_over',
  'no_candidate',
  'no_campaign',
  'already_assigned',
  'owned_by_another',
  'already_waiting',
  'not_found',
] as const;
export type OutcomeDetail = (typeof outcomeDetails)[number];

/** The answer for one contact. */
export interface ContactOutcome {
  readonly contact_id: string;
  readonly outcome: AssignmentOutcome;
  readonly detail: OutcomeDetail;
  /** The owner now; null while the contact waits or does not exist. */
  readonly user_id: string | null;
}
