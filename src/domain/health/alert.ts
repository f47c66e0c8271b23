/**
 * The state machine of an alert (S2-75): pending → firing → resolved. Pure, so that every path can be tested; the
 * evaluation writes rows and sends notifications.
 */

export const alertComparators = ['gt', 'gte', 'lt', 'lte'] as const;
export type AlertComparator = (typeof alertComparators)[number];

export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

/** How the measurements of a window are aggregated. */
export const alertAggregates = ['avg', 'min', 'max'] as const;
export type AlertAggregate = (typeof alertAggregates)[number];

/** The stored states of an alert. A pending alert that does not fire is deleted. */
export const alertStatuses = ['pending', 'firing', 'resolved'] as const;
export type AlertStatus = (typeof alertStatuses)[number];

/** The limits and times of a threshold. */
export interface AlertRule {
  readonly comparator: AlertComparator;
  readonly threshold: number;
  /** Where a firing alert ends: on the good side of `threshold` or equal to it (hysteresis). */
  readonly clear_threshold: number;
  /** How long the value must break the threshold before the alert fires; 0: at once. */
  readonly for_seconds: number;
}

/** The observed value of a metric; null when unknown. */
export type Observed = number | null;

/** The state of a threshold. `since` is in milliseconds since the epoch. */
export type AlertStanding =
  | { readonly state: 'quiet' }
  | { readonly state: 'pending'; readonly since: number }
  | { readonly state: 'firing'; readonly since: number };

/** The transition that an observation causes. */
export type AlertStep = 'stay' | 'pend' | 'drop' | 'fire' | 'resolve';

/** Whether a value breaks a limit. */
export function breaks(comparator: AlertComparator, value: number, limit: number): boolean {
  switch (comparator) {
    case 'gt':
      return value > limit;
    case 'gte':
      return value >= limit;
    case 'lt':
      return value < limit;
    case 'lte':
      return value <= limit;
  }
}

/** Whether a clear threshold is on the good side of the threshold: otherwise an alert could end while it is broken. */
export function isClearSide({ comparator, threshold, clear_threshold }: Omit<AlertRule, 'for_seconds'>): boolean {
  return comparator === 'gt' || comparator === 'gte' ? clear_threshold <= threshold : clear_threshold >= threshold;
}

/**
 * The transition that is due. Unknown data causes none: it neither fires an alert nor resolves one, and the time of a
 * pending alert goes on.
 *
 * @param at milliseconds since the epoch.
 */
export function stepAlert(rule: AlertRule, standing: AlertStanding, observed: Observed, at: number): AlertStep {
  if (observed === null) return 'stay';
  const isBroken = breaks(rule.comparator, observed, rule.threshold);
  switch (standing.state) {
    case 'quiet':
      if (!isBroken) return 'stay';
      return rule.for_seconds === 0 ? 'fire' : 'pend';
    case 'pending':
      if (!isBroken) return 'drop';
      return at - standing.since >= rule.for_seconds * 1000 ? 'fire' : 'stay';
    case 'firing':
      return breaks(rule.comparator, observed, rule.clear_threshold) ? 'stay' : 'resolve';
  }
}

/** The state after a transition. */
export function afterStep(standing: AlertStanding, step: AlertStep, at: number): AlertStanding {
  switch (step) {
    case 'stay':
      return standing;
    case 'pend':
      return { state: 'pending', since: at };
    case 'fire':
      return { state: 'firing', since: at };
    case 'drop':
    case 'resolve':
      return { state: 'quiet' };
  }
}

/** The aggregated measurements of a window. */
interface AlertWindow {
  /** Of the known measurements; null when there is none. */
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** The newest measurement, whatever the window; null when it is unknown. */
  readonly last: number | null;
  /** Time of the newest measurement in milliseconds since the epoch; null when there is none. */
  readonly last_at: number | null;
}

/** A measurement older than this counts as unknown: three rounds of the collector. */
export const freshSeconds = 180;

/**
 * The value that a threshold is compared with: the aggregate of its window, or the newest measurement where the window
 * is 0. Unknown when nothing was measured recently, because the window then only covers the time before the gap.
 */
export function observe(
  window: AlertWindow,
  rule: { readonly aggregate: AlertAggregate; readonly window_seconds: number },
  at: number,
): Observed {
  if (window.last_at === null || at - window.last_at > freshSeconds * 1000) return null;
  return rule.window_seconds === 0 ? window.last : window[rule.aggregate];
}

/** Which notifications of an alert have been sent. */
export interface NotificationState {
  readonly status: AlertStatus;
  readonly firing_told: boolean;
  readonly resolved_told: boolean;
  /** The alert ended before its silence did: no notification is sent. */
  readonly suppressed: boolean;
}

/**
 * Whether an alert that resolves now is suppressed: a silence has covered it since it fired, so no notification can have
 * been sent. A silence that began later does not prove that: the notification may be sent and only its mark lost.
 */
export function isSuppressed(sent: Pick<NotificationState, 'firing_told'>, isSilencedSinceFired: boolean): boolean {
  return isSilencedSinceFired && !sent.firing_told;
}

/**
 * The notifications that are due, in order. A silence holds back `firing`, never `resolved`: whoever was notified that an
 * alert fires is notified of its end. Notifications that a worker could not send before it died are due again.
 */
export function notificationsDue(alert: NotificationState, isSilenced: boolean): ('firing' | 'resolved')[] {
  if (alert.status === 'pending' || alert.suppressed) return [];
  if (alert.status === 'firing') return alert.firing_told || isSilenced ? [] : ['firing'];
  if (alert.resolved_told) return [];
  return alert.firing_told ? ['resolved'] : ['firing', 'resolved'];
}
