import type { Notification } from '../notification/notification.ts';
import type { AlertComparator, AlertSeverity } from './alert.ts';
import { healthMetrics, isHealthMetric } from './health-metric.ts';

/** An alert with its threshold, as far as recipients are told of it. */
interface NotifiedAlert {
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

const comparatorTexts: Readonly<Record<AlertComparator, string>> = {
  gt: 'above',
  gte: 'at or above',
  lt: 'below',
  lte: 'at or below',
};

/** The notification of an alert. Its key names alert and status, so that a recipient gets each once. */
export function alertNotification(alert: NotifiedAlert, status: 'firing' | 'resolved'): Notification {
  const title = isHealthMetric(alert.metric) ? healthMetrics[alert.metric].title : alert.metric;
  const limit = `${comparatorTexts[alert.comparator]} ${alert.threshold}`;
  const { note, ...facts } = alert;
  const isFiring = status === 'firing';
  const sentence = isFiring
    ? `${title} (${alert.metric}) has been ${limit} for at least ${alert.for_seconds} s. It fires since ${alert.fired_at}.`
    : alert.resolve_reason === 'removed'
      ? `The threshold was removed or switched off while it fired.`
      : `${title} (${alert.metric}) is back in order since ${alert.resolved_at}: ${alert.value}.`;
  return {
    event: `alert.${status}`,
    event_key: `alert/${alert.id}/${status}`,
    subject: `${isFiring ? 'Firing' : 'Resolved'} (${alert.severity}): ${alert.name}`,
    text: isFiring && note !== null ? `${sentence}\n\n${note}` : sentence,
    // An alert may be resolved already when its firing is told; the end is not part of that notification.
    data: { ...facts, status, ...(isFiring ? { resolved_at: null, resolve_reason: null } : {}) },
  };
}

/** The notification that a silence has run out. */
export function silenceNotification(silence: {
  readonly id: string;
  readonly name: string | null;
  readonly reason: string;
  readonly ends_at: string;
}): Notification {
  const about = silence.name === null ? 'all alerts' : `'${silence.name}'`;
  return {
    event: 'alert.silence-lapsed',
    event_key: `alert/silence/${silence.id}/lapsed`,
    subject: `The silence of ${about} has run out`.slice(0, 200),
    text: `The silence of ${about} ended at ${silence.ends_at}. Its reason was: ${silence.reason}`,
    data: { silence_id: silence.id, threshold: silence.name, ends_at: silence.ends_at },
  };
}

/** The notification that a part of the monitoring has stopped, for the staff of the platform. */
export function monitoringStoppedNotification(what: 'collection' | 'evaluation', since: string): Notification {
  const texts = {
    collection: {
      subject: 'Nothing is measured any more',
      text: `No measurement was written since ${since}: alerts keep their state until measuring goes on.`,
    },
    evaluation: {
      subject: 'Alerts are not evaluated any more',
      text: `No threshold was compared with its measurements since ${since}: alerts neither fire nor resolve.`,
    },
  };
  return {
    event: 'alert.watch-stopped',
    event_key: `alert/watch/${what}/${since}`,
    ...texts[what],
    data: { what, since },
  };
}
