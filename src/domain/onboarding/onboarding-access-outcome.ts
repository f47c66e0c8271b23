/**
 * The outcome of an access to a link (S3-56): a look by what may be a machine (`viewed`), which opens nothing; what the holder
 * did; why it was refused (`stale`: built on an older version; `not_allowed`: a capability that the link does not have); or how
 * the link has ended.
 */
export const onboardingAccessOutcomes = [
  'viewed',
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
