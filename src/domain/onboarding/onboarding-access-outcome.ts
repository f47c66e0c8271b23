/**
 * How an access to a link ended (S3-56): what the holder got, why it was refused (`stale`: built on older answers;
 * `not_allowed`: the link does not declare it), or which end of the link stood in the way.
 */
export const onboardingAccessOutcomes = [
  'shown',
  'saved',
  'completed',
  'replayed',
  'stale',
  'not_allowed',
  'refused',
  'expired',
  'revoked',
  'already_completed',
] as const;
export type OnboardingAccessOutcome = (typeof onboardingAccessOutcomes)[number];
