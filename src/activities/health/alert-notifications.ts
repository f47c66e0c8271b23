import type { AlertComparator, AlertSeverity } from '../../domain/health/alert.ts';
import { healthMetrics, isHealthMetric } from '../../domain/health/health-metric.ts';
import type { Notification } from '../../domain/notification/notification.ts';

/** An alert with the threshold it belongs to, as far as people are told. */
export interface ToldAlert {
  readonly id: string;
  readonly name: string;
  readonly metric: string;
  readonly severity: AlertSeverity;
  readonly value: number | null;
  readonly fired_at: string | null;
  readonly resolved_at: string | null;
  readonly resolve_reason: 'recovered' | 'removed' | null;
  readonly comparator: AlertComparator;
  readonly threshold: number;
  readonly for_seconds: number;
  readonly note: string | null;
}

const words: Readonly<Record<AlertComparator, string>> = {
  gt: 'above',
  gte: 'at or above',
  lt: 'below',
  lte: 'at or below',
};

/** The news of an alert. The key names alert and news, so that each is delivered to a receiver once. */
export function alertNotice(alert: ToldAlert, news: 'firing' | 'resolved'): Notification {
  const title = isHealthMetric(alert.metric) ? healthMetrics[alert.metric].title : alert.metric;
  const limit = `${words[alert.comparator]} ${alert.threshold}`;
  const { note, ...facts } = alert;
  const isFiring = news === 'firing';
  const sentence = isFiring
    ? `${title} (${alert.metric}) has been ${limit} for at least ${alert.for_seconds} s. It fires since ${alert.fired_at}.`
    : alert.resolve_reason === 'removed'
      ? `The threshold was removed or switched off while it fired.`
      : `${title} (${alert.metric}) is back in order since ${alert.resolved_at}: ${alert.value}.`;
  return {
    event: `alert.${news}`,
    event_key: `alert/${alert.id}/${news}`,
    subject: `${isFiring ? 'Firing' : 'Resolved'} (${alert.severity}): ${alert.name}`,
    text: isFiring && note !== null ? `${sentence}\n\n${note}` : sentence,
    // What was seen at the end says nothing about the beginning.
    data: { ...facts, status: news, ...(isFiring ? { resolved_at: null, resolve_reason: null } : {}) },
  };
}

/** The notice that a silence has run out. */
export function silenceNotice(silence: { id: string; name: string | null; reason: string; ends_at: string }): Notification {
  const about = silence.name === null ? 'all alerts' : `'${silence.name}'`;
  return {
    event: 'alert.silence-lapsed',
    event_key: `alert/silence/${silence.id}/lapsed`,
    subject: `The silence of ${about} has run out`.slice(0, 200),
    text: `The silence of ${about} ended at ${silence.ends_at}. Its reason was: ${silence.reason}`,
    data: { silence_id: silence.id, threshold: silence.name, ends_at: silence.ends_at },
  };
}
