import type { DealReason } from './auto-assign.ts';

/** Why a contact went to a person: dealt by the rule, given by somebody, or handed over from another person. */
export type AssignmentReason =
  | ({ readonly kind: 'dealt'; readonly from_user_id: string | null } & DealReason)
  | { readonly kind: 'manual'; readonly from_user_id: string | null }
  | { readonly kind: 'handed_over'; readonly from_user_id: string };

/** Why a contact waits: nobody of its pool could take it, others wait before it, or it has no campaign and so no pool. */
export type QueueReason =
  | ({ readonly kind: 'no_candidate' } & DealReason)
  | { readonly kind: 'behind_others' }
  | { readonly kind: 'no_campaign' };

/** What is done with a contact that somebody else looks after already (S3-41). */
export const conflictRules = ['skip', 'reassign', 'fail'] as const;
export type ConflictRule = (typeof conflictRules)[number];

/** What became of one contact or campaign of a request (S3-41), and `queued` for one that nobody could take. */
export const assignmentOutcomes = ['assigned', 'queued', 'skipped', 'conflict'] as const;
export type AssignmentOutcome = (typeof assignmentOutcomes)[number];

/** Why it became that. */
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
  /** Who has it now; null while it waits or is not there. */
  readonly user_id: string | null;
}
