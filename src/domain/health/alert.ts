/**
 * When an alert fires and when it is over (S2-75): pending → firing → resolved. Pure, so that every way through it can
 * be tested; rows and notices are the evaluation's.
 */

export const alertComparators = ['gt', 'gte', 'lt', 'lte'] as const;
export type AlertComparator = (typeof alertComparators)[number];

export const alertSeverities = ['info', 'warning', 'critical'] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

/** What the measurements of a window are drawn together to. */
export const alertAggregates = ['avg', 'min', 'max'] as const;
export type AlertAggregate = (typeof alertAggregates)[number];

/** States that an alert is kept in. A pending one that comes to nothing leaves no trace. */
export const alertStatuses = ['pending', 'firing', 'resolved'] as const;
export type AlertStatus = (typeof alertStatuses)[number];

/** The numbers of a threshold. */
export interface AlertRule {
  readonly comparator: AlertComparator;
  readonly threshold: number;
  /** Where a firing alert ends: on the good side of `threshold` or equal to it (hysteresis). */
  readonly clear_threshold: number;
  /** How long the value must break the threshold before it fires; 0 at once. */
  readonly for_seconds: number;
}

/** What is known of a metric at a moment; null is unknown. */
export type Observed = number | null;

/** Where a threshold stands. `since` is in milliseconds since the epoch. */
export type AlertStanding =
  | { readonly state: 'quiet' }
  | { readonly state: 'pending'; readonly since: number }
  | { readonly state: 'firing'; readonly since: number };

/** What an observation does to a standing. */
export type AlertStep = 'stay' | 'pend' | 'drop' | 'fire' | 'resolve';

/** Whether a value is on the bad side of a limit. */
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

/** Whether a clear threshold lies on the good side: otherwise an alert could end while its threshold is broken. */
export function isClearSide({ comparator, threshold, clear_threshold }: Omit<AlertRule, 'for_seconds'>): boolean {
  return comparator === 'gt' || comparator === 'gte' ? clear_threshold <= threshold : clear_threshold >= threshold;
}

/**
 * What is to be done now. Unknown data changes nothing: it neither fires (nobody has seen it broken) nor resolves
 * (nobody has seen it mended), and the time of a pending alert runs on.
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

/** The standing after a step. */
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

/** The measurements of a window, drawn together. */
export interface AlertWindow {
  /** Of the known measurements; null when there is none. */
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** The newest measurement, whatever the window; null when it is unknown. */
  readonly last: number | null;
  /** Moment of the newest measurement in milliseconds since the epoch; null when there is none. */
  readonly last_at: number | null;
}

/** A measurement older than this says nothing about now: three rounds of the collector. */
export const freshSeconds = 180;

/**
 * What a threshold looks at: the aggregate of its window, or the newest measurement where the window is 0. Unknown when
 * nothing was measured lately: a window then speaks of what was before the silence.
 */
export function observe(
  window: AlertWindow,
  rule: { readonly aggregate: AlertAggregate; readonly window_seconds: number },
  at: number,
): Observed {
  if (window.last_at === null || at - window.last_at > freshSeconds * 1000) return null;
  return rule.window_seconds === 0 ? window.last : window[rule.aggregate];
}

/** What of an alert's news has been told. */
export interface NotificationState {
  readonly status: AlertStatus;
  readonly firing_told: boolean;
  readonly resolved_told: boolean;
  /** It was over before its silence was: nobody hears of it. */
  readonly suppressed: boolean;
}

/**
 * Whether an alert that resolves now stays unheard of: one silence has lain on it from the beginning, so nobody can
 * have been told. A silence that came later proves nothing: the news may be out and only the mark of it lost.
 */
export function isSuppressed(news: Pick<NotificationState, 'firing_told'>, isSilencedSinceFired: boolean): boolean {
  return isSilencedSinceFired && !news.firing_told;
}

/**
 * What has to be told now, in order. A silence holds the news of firing back, never that of an end: whoever was told of
 * trouble is told when it is over. News that a killed worker has left untold come here again.
 */
export function notificationsDue(news: NotificationState, isSilenced: boolean): ('firing' | 'resolved')[] {
  if (news.status === 'pending' || news.suppressed) return [];
  if (news.status === 'firing') return news.firing_told || isSilenced ? [] : ['firing'];
  if (news.resolved_told) return [];
  return news.firing_told ? ['resolved'] : ['firing', 'resolved'];
}
