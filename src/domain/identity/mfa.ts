/** How long a challenge may be answered, in seconds (S2-69). */
export const challengeTtlSeconds = 300;

/** Wrong codes after which a challenge is locked (S2-69). */
export const maxChallengeAttempts = 5;

/** What decides whether a challenge may still be answered. */
interface ChallengeFacts {
  readonly attempts: number;
  readonly locked_at: string | null;
  readonly verified_at: string | null;
  readonly expires_at: string;
}

/** Whether a challenge may be answered, and if not, why. A locked one stays locked after it has expired. */
type ChallengeState = 'open' | 'locked' | 'verified' | 'expired';

/** The state of a challenge at `nowMs`, milliseconds since the epoch. */
export function challengeState(challenge: ChallengeFacts, nowMs: number): ChallengeState {
  if (challenge.verified_at !== null) return 'verified';
  if (challenge.locked_at !== null || challenge.attempts >= maxChallengeAttempts) return 'locked';
  return Date.parse(challenge.expires_at) <= nowMs ? 'expired' : 'open';
}

/** The form of a code: six digits from an app or a mail, or a recovery code. */
export const factorCodePattern = /^(\d{6}|[0-9A-Za-z]{4}(-?[0-9A-Za-z]{4}){3})$/;

/** True for the six digits of an app or a mail; anything else of {@link factorCodePattern} is a recovery code. */
export function isShortCode(code: string): boolean {
  return /^\d{6}$/.test(code);
}

/** An e-mail address as a hint: its owner recognises it, others do not learn it (`a•••@example.com`). */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@');
  return at < 1 ? '•••' : `${email.slice(0, 1)}•••${email.slice(at)}`;
}
