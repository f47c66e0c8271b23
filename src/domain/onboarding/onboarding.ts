import type { JsonObject } from '../shared/canonical.ts';

/** The stored status of an onboarding link (S3-44). */
export const onboardingStatuses = ['pending', 'opened', 'in_progress', 'completed', 'expired', 'revoked'] as const;
export type OnboardingStatus = (typeof onboardingStatuses)[number];

/** A link with one of these can be used until it expires. */
export const openOnboardingStatuses = ['pending', 'opened', 'in_progress'] as const satisfies readonly OnboardingStatus[];
type OpenOnboardingStatus = (typeof openOnboardingStatuses)[number];

/** All transitions (S3-52): revoked and completed are final, an expired link is reopened by extending it. */
const transitions: Readonly<Record<OnboardingStatus, readonly OnboardingStatus[]>> = {
  pending: ['opened', 'in_progress', 'completed', 'expired', 'revoked'],
  opened: ['in_progress', 'completed', 'expired', 'revoked'],
  in_progress: ['completed', 'expired', 'revoked'],
  expired: ['pending', 'opened', 'in_progress', 'revoked'],
  completed: [],
  revoked: [],
};

/** True when the transition is allowed. */
export function canMoveOnboarding(from: OnboardingStatus, to: OnboardingStatus): boolean {
  return transitions[from].includes(to);
}

/** True for a status in which the link has not ended. */
export function isOpenOnboarding(status: OnboardingStatus): status is OpenOnboardingStatus {
  return openOnboardingStatuses.some((open) => open === status);
}

/** What a link lets its holder do; set at its creation and visible to everybody who opens it. */
export const onboardingCapabilities = ['save_progress', 'complete', 'create_account'] as const;
export type OnboardingCapability = (typeof onboardingCapabilities)[number];

const day = 24 * 3600;
/** How long links of a tenant live (S3-51), in seconds. */
export interface OnboardingSettings {
  /** What a link gets at its creation or extension when nothing else is asked for. */
  readonly default_life_seconds: number;
  /** The most that a link gets at a time. */
  readonly max_step_seconds: number;
  /** From the creation of a link to its latest possible end. */
  readonly max_life_seconds: number;
}

/** The settings of a tenant without settings of its own. */
export const defaultOnboardingSettings: OnboardingSettings = {
  default_life_seconds: 7 * day,
  max_step_seconds: 30 * day,
  max_life_seconds: 90 * day,
};
/** Bounds of each setting, for all tenants. */
export const onboardingSettingsLimits = { minSeconds: 60, maxSeconds: 365 * day } as const;

/** The first setting that is above the next longer one, or null when they are in order. */
export function firstLimitOutOfOrder(settings: OnboardingSettings): keyof OnboardingSettings | null {
  if (settings.default_life_seconds > settings.max_step_seconds) return 'default_life_seconds';
  return settings.max_step_seconds > settings.max_life_seconds ? 'max_step_seconds' : null;
}

/** When the recipient is reminded and the creator is warned; fixed at the creation of a link. All in seconds. */
export interface OnboardingTiming {
  /** From the creation of the link to the first reminder. */
  readonly first_reminder_seconds: number;
  /** From one reminder to the next. */
  readonly reminder_interval_seconds: number;
  readonly max_reminders: number;
  /** The creator is warned this long before the link expires, or a quarter of its life before if that is shorter. */
  readonly warning_seconds: number;
}

/** The timing of a link whose creator sets none. */
export const defaultOnboardingTiming: OnboardingTiming = {
  first_reminder_seconds: 2 * day,
  reminder_interval_seconds: 2 * day,
  max_reminders: 5,
  warning_seconds: day,
};

/** The events of a link that its creator is notified of. */
export const onboardingNotifications = ['opened', 'completed', 'expiring', 'expired'] as const;
export type OnboardingNotification = (typeof onboardingNotifications)[number];

/** The state of a link from which its effective status and the next step of its workflow follow. Times are RFC 3339. */
export interface OnboardingLinkState {
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
  /** Keys of the notifications that the creator has got; see {@link notificationKey}. */
  readonly announced: readonly string[];
  /** True while the tenant is suspended. Missing in histories of earlier builds, which did not check it. */
  readonly is_silent?: boolean;
}

/**
 * The status that callers see: a link past its end is expired, even if that is not stored yet (S3-55), and a pending link
 * that was accessed is opened, although opening a link does not change the stored status (S3-54).
 *
 * @param now milliseconds since the epoch
 */
export function effectiveOnboardingStatus(
  { status, expires_at, first_accessed_at }: Pick<OnboardingLinkState, 'status' | 'expires_at' | 'first_accessed_at'>,
  now: number,
): OnboardingStatus {
  if (!isOpenOnboarding(status)) return status;
  if (Date.parse(expires_at) <= now) return 'expired';
  return status === 'pending' && first_accessed_at !== null ? 'opened' : status;
}

/** The status of a link after an extension: the one that its holder had reached before the link expired. */
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
 * When an extended link expires: the step counts from now or from the link's end, whichever is later, and is cut at the
 * link's latest possible end.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds since the epoch; null when the link cannot be extended any more (S3-51).
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
 * Decides the next step. After an outage one reminder is sent, not all that were missed, because the next one counts from
 * the last that was sent. While the tenant is suspended nothing is sent and links expire all the same; what was due
 * meanwhile is overdue when the tenant is resumed.
 *
 * @param now milliseconds since the epoch
 */
export function nextOnboardingStep(link: OnboardingLinkState, now: number): OnboardingStep {
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

function warningMs({ created_at, expires_at, timing }: OnboardingLinkState): number {
  const lifeMs = Date.parse(expires_at) - Date.parse(created_at);
  return Math.min(timing.warning_seconds * 1000, lifeMs / 4);
}

function nextReminderAt({ has_email, reminder_count, last_reminder_at, created_at, timing }: OnboardingLinkState): number {
  if (!has_email || reminder_count >= timing.max_reminders) return Infinity;
  return last_reminder_at === null
    ? Date.parse(created_at) + timing.first_reminder_seconds * 1000
    : Date.parse(last_reminder_at) + timing.reminder_interval_seconds * 1000;
}

/** Identifies one occurrence of an event: a link that was extended can expire again, and is then notified of again. */
export function notificationKey(event: OnboardingNotification, extendedCount: number): string {
  return event === 'expired' || event === 'expiring' ? `${event}/${extendedCount}` : event;
}

/** The events that the creator has not been notified of yet, but for `expiring`, which is sent when it is claimed. */
export function unsentNotifications(link: OnboardingLinkState): OnboardingNotification[] {
  const happened: OnboardingNotification[] = [];
  if (link.first_accessed_at !== null) happened.push('opened');
  if (link.status === 'completed') happened.push('completed');
  if (link.status === 'expired') happened.push('expired');
  return happened.filter((event) => !link.announced.includes(notificationKey(event, link.extended_count)));
}

/** The progress of an onboarding, as saved last. */
interface OnboardingProgress {
  readonly progress: JsonObject;
  readonly progress_percent: number;
  readonly current_step: string | null;
}

/** Largest size of all answers of a link as JSON text, in bytes. */
export const maxProgressBytes = 64 * 1024;

/** Merges saved answers into the existing ones. What is not sent stays, so that devices do not lose each other's answers. */
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
