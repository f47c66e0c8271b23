import type { JsonObject } from '../shared/canonical.ts';

/** Where an onboarding link is (S3-44). */
export const onboardingStatuses = ['pending', 'opened', 'in_progress', 'completed', 'expired', 'revoked'] as const;
export type OnboardingStatus = (typeof onboardingStatuses)[number];

/** A link in one of these still leads somewhere, until its time is over. */
export const openOnboardingStatuses = ['pending', 'opened', 'in_progress'] as const satisfies readonly OnboardingStatus[];
export type OpenOnboardingStatus = (typeof openOnboardingStatuses)[number];

/** Every move there is (S3-52): revoked and completed are final, an expired link is opened again by extending it. */
const moves: Readonly<Record<OnboardingStatus, readonly OnboardingStatus[]>> = {
  pending: ['opened', 'in_progress', 'completed', 'expired', 'revoked'],
  opened: ['in_progress', 'completed', 'expired', 'revoked'],
  in_progress: ['completed', 'expired', 'revoked'],
  expired: ['pending', 'opened', 'in_progress', 'revoked'],
  completed: [],
  revoked: [],
};

/** True when a link may go from one status to the other. */
export function canMoveOnboarding(from: OnboardingStatus, to: OnboardingStatus): boolean {
  return moves[from].includes(to);
}

/** True for a status in which nothing has ended the link. */
export function isOpenOnboarding(status: OnboardingStatus): status is OpenOnboardingStatus {
  return openOnboardingStatuses.some((open) => open === status);
}

/** What a link lets its holder do; declared when it is made and shown to everybody who opens it. */
export const onboardingCapabilities = ['save_progress', 'complete', 'create_account'] as const;
export type OnboardingCapability = (typeof onboardingCapabilities)[number];

const day = 24 * 3600;
/** How long links of a tenant live (S3-51), in seconds. */
export interface OnboardingLife {
  /** What a link is given, first or by extending it, when nobody asks for another time. */
  readonly default_life_seconds: number;
  /** The most that it is given at a time. */
  readonly max_step_seconds: number;
  /** From its creation to its last end. */
  readonly max_life_seconds: number;
}

/** The life of links of a tenant that has laid down none. */
export const defaultOnboardingLife: OnboardingLife = {
  default_life_seconds: 7 * day,
  max_step_seconds: 30 * day,
  max_life_seconds: 90 * day,
};
/** No tenant lets its links live longer or shorter than this. */
export const onboardingLifeLimits = { minSeconds: 60, maxSeconds: 365 * day } as const;

/** The first limit that is above the next one, or null for a life that makes sense. */
export function brokenOnboardingLife(life: OnboardingLife): keyof OnboardingLife | null {
  if (life.default_life_seconds > life.max_step_seconds) return 'default_life_seconds';
  return life.max_step_seconds > life.max_life_seconds ? 'max_step_seconds' : null;
}

/** When people are reminded and warned, frozen into a link when it is made. All in seconds. */
export interface OnboardingTiming {
  /** From the creation of the link to the first reminder. */
  readonly first_reminder_seconds: number;
  /** From one reminder to the next. */
  readonly reminder_interval_seconds: number;
  readonly max_reminders: number;
  /** The creator is warned this long before the link expires; a short link a quarter of its life before. */
  readonly warning_seconds: number;
}

/** The timing of a link that names none. */
export const defaultOnboardingTiming: OnboardingTiming = {
  first_reminder_seconds: 2 * day,
  reminder_interval_seconds: 2 * day,
  max_reminders: 5,
  warning_seconds: day,
};

/** What happened to a link that its creator is told of. */
export const onboardingNotifications = ['opened', 'completed', 'expiring', 'expired'] as const;
export type OnboardingNotification = (typeof onboardingNotifications)[number];

/** What decides where a link is and what its workflow does next. Times are RFC 3339. */
export interface OnboardingFacts {
  readonly status: OnboardingStatus;
  readonly created_at: string;
  readonly expires_at: string;
  readonly first_accessed_at: string | null;
  readonly extended_count: number;
  readonly has_email: boolean;
  readonly timing: OnboardingTiming;
  readonly reminder_count: number;
  readonly last_reminder_at: string | null;
  /** Null again after every extension. */
  readonly warned_at: string | null;
  /** Keys of the news that the creator has been told; see {@link notificationKey}. */
  readonly announced: readonly string[];
  /** True while the tenant is suspended. Missing in histories of builds that did not look. */
  readonly is_silent?: boolean;
}

/**
 * The status as it is shown: past its time a link is expired at once, whether or not anybody has written that down
 * (S3-55), and one that was looked at is opened, although looking changes nothing (S3-54).
 *
 * @param now milliseconds since the epoch
 */
export function shownOnboardingStatus(
  { status, expires_at, first_accessed_at }: Pick<OnboardingFacts, 'status' | 'expires_at' | 'first_accessed_at'>,
  now: number,
): OnboardingStatus {
  if (!isOpenOnboarding(status)) return status;
  if (Date.parse(expires_at) <= now) return 'expired';
  return status === 'pending' && first_accessed_at !== null ? 'opened' : status;
}

/** The status that an extended link goes on with: where its holder had come before it expired. */
export function reopenedOnboardingStatus(link: {
  readonly status: OnboardingStatus;
  readonly version: number;
  readonly first_accessed_at: string | null;
}): OpenOnboardingStatus {
  if (isOpenOnboarding(link.status)) return link.status;
  if (link.version > 1) return 'in_progress';
  return link.first_accessed_at === null ? 'pending' : 'opened';
}

/**
 * When an extended link expires: the step counts from now or from its present end, whichever is later, and never leads
 * beyond the longest life.
 *
 * @returns milliseconds since the epoch; null when the link has no life left to give (S3-51).
 */
export function extendedUntil(
  link: { readonly expires_at: string; readonly max_expires_at: string },
  stepSeconds: number,
  now: number,
): number | null {
  const base = Math.max(Date.parse(link.expires_at), now);
  const until = Math.min(base + stepSeconds * 1000, Date.parse(link.max_expires_at));
  return until > base ? until : null;
}

/** What the workflow of a link does next. `until` is in milliseconds since the epoch. */
export type OnboardingStep =
  | { readonly kind: 'end' | 'expire' | 'warn' | 'remind' }
  | { readonly kind: 'wait'; readonly until: number };

/**
 * Decides the next step. Whatever is overdue is due once: after an outage one reminder goes out, not all that were
 * missed, because the next one counts from the last that was sent. Of a suspended tenant nothing goes out; what was due
 * meanwhile is overdue when the tenant is resumed. Its links expire all the same.
 *
 * @param now milliseconds since the epoch
 */
export function nextOnboardingStep(link: OnboardingFacts, now: number): OnboardingStep {
  if (!isOpenOnboarding(link.status)) return { kind: 'end' };
  const expireAt = Date.parse(link.expires_at);
  const isSilent = link.is_silent === true;
  const warnAt = link.warned_at === null && !isSilent ? expireAt - warningMs(link) : Infinity;
  const remindAt = isSilent ? Infinity : nextReminderAt(link);
  if (now >= expireAt) return { kind: 'expire' };
  if (now >= warnAt) return { kind: 'warn' };
  if (now >= remindAt) return { kind: 'remind' };
  return { kind: 'wait', until: Math.min(expireAt, warnAt, remindAt) };
}

function warningMs({ created_at, expires_at, timing }: OnboardingFacts): number {
  const lifeMs = Date.parse(expires_at) - Date.parse(created_at);
  return Math.min(timing.warning_seconds * 1000, lifeMs / 4);
}

function nextReminderAt({ has_email, reminder_count, last_reminder_at, created_at, timing }: OnboardingFacts): number {
  if (!has_email || reminder_count >= timing.max_reminders) return Infinity;
  return last_reminder_at === null
    ? Date.parse(created_at) + timing.first_reminder_seconds * 1000
    : Date.parse(last_reminder_at) + timing.reminder_interval_seconds * 1000;
}

/** Names one occurrence of a piece of news: a link that was extended can expire again, and be told of again. */
export function notificationKey(news: OnboardingNotification, extendedCount: number): string {
  return news === 'expired' || news === 'expiring' ? `${news}/${extendedCount}` : news;
}

/** The news that the creator has not been told yet. A warning is no news before its time: `expiring` comes by claim. */
export function unsentNotifications(link: OnboardingFacts): OnboardingNotification[] {
  const happened: OnboardingNotification[] = [];
  if (link.first_accessed_at !== null) happened.push('opened');
  if (link.status === 'completed') happened.push('completed');
  if (link.status === 'expired') happened.push('expired');
  return happened.filter((news) => !link.announced.includes(notificationKey(news, link.extended_count)));
}

/** Answers and place of a newcomer, as saved last. */
export interface OnboardingProgress {
  readonly progress: JsonObject;
  readonly progress_percent: number;
  readonly current_step: string | null;
}

/** Size of the answers of a link at which nothing more is taken, as JSON text. */
export const maxProgressBytes = 64 * 1024;

/** Puts new answers over the ones that are there: what is not sent is kept, so that no device loses another's pages. */
export function mergeProgress(
  before: OnboardingProgress,
  saved: { readonly answers: JsonObject; readonly progress_percent?: number | undefined; readonly current_step?: string | null | undefined },
): OnboardingProgress {
  return {
    progress: { ...before.progress, ...saved.answers },
    progress_percent: saved.progress_percent ?? before.progress_percent,
    current_step: saved.current_step === undefined ? before.current_step : saved.current_step,
  };
}

/** The form of a token: 24 random bytes as base64url (S3-50). */
export const onboardingTokenPattern = /^[\w-]{32}$/;
