import { alertNotification, silenceNotification } from '../../domain/health/alert-notification.ts';
import { notificationsDue, stepAlert } from '../../domain/health/alert.ts';
import type { AlertStatus } from '../../domain/health/alert.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { markAlertNotified, markSilenceLapsed, takeAlertSteps } from './alert-episode.repository.ts';
import type { AlertChange } from './alert-episode.repository.ts';
import { alertRecipients } from './alert-recipients.queries.ts';
import {
  lapsedSilencesQuery,
  observedOf,
  pendingNotificationsQuery,
  standingOf,
  standingsQuery,
} from './alert.queries.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/** Notifications of each kind that one evaluation of a tenant sends at most. */
const notificationLimit = 500;

/**
 * Compares the thresholds of a tenant with its measurements and records the alerts that change.
 *
 * @param actor the system, in the tenant.
 * @param at the time of the evaluation in milliseconds since the epoch.
 * @returns the number of thresholds and of those whose alert has changed.
 */
export async function evaluateThresholds(
  { db }: Pick<Deps, 'db'>,
  actor: Actor,
  at: number,
): Promise<{ thresholds: number; changed: number }> {
  const timestamp = new Date(at).toISOString();
  const rows = await read(db, actor, standingsQuery(timestamp));
  const changes = rows.flatMap((row) => changeOf(row, at));
  const changed =
    changes.length === 0 ? 0 : await unitOfWork(db, actor, (tx) => takeAlertSteps(tx, changes, timestamp));
  return { thresholds: rows.length, changed };
}

/**
 * Sends what is due about the alerts and silences of a tenant. Each notification is handed over first and marked
 * afterwards: a worker that dies in between sends it again under the same key, and recipients get it once.
 *
 * @param onSent called after each alert and silence, for heartbeats.
 * @returns how many notifications were sent.
 */
export async function sendAlertNotifications(
  deps: Deps,
  actor: Actor,
  at: number,
  onSent: () => void,
): Promise<number> {
  const { db } = deps;
  const notify = createNotify(deps);
  const timestamp = new Date(at).toISOString();
  const [alerts, silences] = await readAll(db, actor, [
    pendingNotificationsQuery(timestamp, notificationLimit),
    lapsedSilencesQuery(timestamp, notificationLimit),
  ]);
  let sent = 0;
  for (const { channel_ids, ...alert } of alerts) {
    for (const status of notificationsDue(notificationStateOf(alert), false)) {
      const notification = alertNotification(alert, status);
      if (channel_ids.length > 0) await notify(actor, notification, [], channel_ids);
      else await notify(actor, notification, await alertRecipients(db, actor, notification.event));
      await unitOfWork(db, actor, (tx) => markAlertNotified(tx, alert.id, status));
      sent += 1;
    }
    onSent();
  }
  for (const silence of silences) {
    await notify(actor, silenceNotification(silence), [silence.owner_id]);
    await unitOfWork(db, actor, (tx) => markSilenceLapsed(tx, silence.id));
    sent += 1;
    onSent();
  }
  return sent;
}

type StandingRow = Awaited<ReturnType<ReturnType<typeof standingsQuery>['execute']>>[number];

/** The change that a threshold needs now: one or none. */
function changeOf(row: StandingRow, at: number): AlertChange[] {
  const isGone = row.removed_at !== null || !row.is_enabled;
  const observed = observedOf(row, at);
  const standing = standingOf(row);
  const goneStep = standing.state === 'firing' ? ('resolve' as const) : ('drop' as const);
  const step = isGone ? goneStep : stepAlert(row, standing, observed, at);
  if (step === 'stay') return [];
  return [
    {
      step,
      threshold_id: row.threshold_id,
      name: row.name,
      metric: row.metric,
      severity: row.severity,
      alert_id: row.alert_id,
      value: observed,
      is_silenced_since_fired: Boolean(row.is_silenced_since_fired),
      firing_told: row.firing_told_at !== null,
      resolve_reason: isGone ? 'removed' : 'recovered',
    },
  ];
}

function notificationStateOf(alert: {
  readonly status: AlertStatus;
  readonly firing_told_at: string | null;
  readonly resolved_told_at: string | null;
  readonly suppressed_at: string | null;
}) {
  return {
    status: alert.status,
    firing_told: alert.firing_told_at !== null,
    resolved_told: alert.resolved_told_at !== null,
    suppressed: alert.suppressed_at !== null,
  };
}
