/** How long a challenge may be answered (S2-69). */
export const challengeTtlSeconds = 300;

/** Wrong codes after which a challenge is locked (S2-69). */
export const maxChallengeAttempts = 5;

/** The facts of a challenge that decide whether it may still be answered. */
export interface ChallengeFacts {
  readonly attempts: number;
  readonly locked_at: string | null;
  readonly verified_at: string | null;
  readonly expires_at: string;
}

/** Whether a challenge may be answered, and if not, why. A locked one stays locked, whatever its time says. */
export type ChallengeState = 'open' | 'locked' | 'verified' | 'expired';

/** Judges a challenge at `nowMs` (milliseconds since 1970). */
export function challengeState(challenge: ChallengeFacts, nowMs: number): ChallengeState {
  if (challenge.verified_at !== null) return 'verified';
  if (challenge.locked_at !== null || challenge.attempts >= maxChallengeAttempts) return 'locked';
  return Date.parse(challenge.expires_at) <= nowMs ? 'expired' : 'open';
}

/** Where a person may type a code of six digits from an app or a mail, or a recovery code. */
export const factorCodePattern = /^(\d{6}|[0-9A-Za-z]{4}(-?[0-9A-Za-z]{4}){3})$/;

/** True for the six digits of an app or a mail; what else fits {@link factorCodePattern} is a recovery code. */
export function isShortCode(code: string): boolean {
  return /^\d{6}$/.test(code);
}

/** An e-mail address as a hint for its owner: enough to recognise, not enough to learn (`a•••@example.com`). */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@');
  return at < 1 ? '•••' : `${email.slice(0, 1)}•••${email.slice(at)}`;
}
