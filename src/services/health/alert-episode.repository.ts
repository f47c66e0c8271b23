import { sql } from 'kysely';
import { isSuppressed } from '../../domain/health/alert.ts';
import type { AlertSeverity, AlertStep } from '../../domain/health/alert.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A transition of one threshold, as decided on the values that were read. */
export interface AlertChange {
  readonly step: Exclude<AlertStep, 'stay'>;
  readonly threshold_id: string;
  readonly name: string;
  readonly metric: HealthMetricName;
  readonly severity: AlertSeverity;
  /** The open alert; null while the threshold is quiet. */
  readonly alert_id: string | null;
  readonly value: number | null;
  readonly is_silenced_since_fired: boolean;
  readonly firing_told: boolean;
  readonly resolve_reason: 'recovered' | 'removed';
}

/**
 * Writes the transitions of one evaluation. This file is the only writer of `admin_alerts`. Each update names the status
 * that it starts from, so that of two concurrent evaluations one changes nothing.
 *
 * @param at RFC 3339, the time of the evaluation.
 * @returns how many transitions were made.
 */
export async function takeAlertSteps(tx: Tx, changes: readonly AlertChange[], at: string): Promise<number> {
  let taken = 0;
  for (const change of changes) {
    const id = await takeStep(tx, change, at);
    if (id === null) continue;
    taken += 1;
    if (change.step !== 'fire' && change.step !== 'resolve') continue;
    const { threshold_id, name, metric, severity, value } = change;
    tx.audit({
      event: `alert.${change.step}`,
      action: change.step === 'fire' ? 'create' : 'update',
      resource_type: 'alert',
      resource_id: id,
      new_values: { threshold_id, name, metric, severity, value, at },
    });
  }
  return taken;
}

/** @returns the id of the alert, or null when another evaluation was faster. */
async function takeStep(tx: Tx, change: AlertChange, at: string): Promise<string | null> {
  const { alert_id, value } = change;
  switch (change.step) {
    case 'pend':
      return openAlert(tx, change, { status: 'pending', pending_since: at });
    case 'fire': {
      if (alert_id === null) return openAlert(tx, change, { status: 'firing', fired_at: at });
      const fired = tx.sql.updateTable('admin_alerts').set({ status: 'firing', fired_at: at, value });
      return idOf(fired.where('id', '=', alert_id).where('status', '=', 'pending').returning('id').executeTakeFirst());
    }
    case 'drop': {
      const dropped = tx.sql
        .deleteFrom('admin_alerts')
        .where('id', '=', alert_id ?? '')
        .where('status', '=', 'pending');
      return idOf(dropped.returning('id').executeTakeFirst());
    }
    case 'resolve': {
      const resolved = tx.sql.updateTable('admin_alerts').set({
        status: 'resolved',
        resolved_at: at,
        resolve_reason: change.resolve_reason,
        suppressed_at: isSuppressed(change, change.is_silenced_since_fired) ? at : null,
        value,
      });
      return idOf(
        resolved
          .where('id', '=', alert_id ?? '')
          .where('status', '=', 'firing')
          .returning('id')
          .executeTakeFirst(),
      );
    }
  }
}

async function openAlert(
  tx: Tx,
  { threshold_id, name, metric, severity, value }: AlertChange,
  state: { status: 'pending'; pending_since: string } | { status: 'firing'; fired_at: string },
): Promise<string | null> {
  const opened = tx.sql
    .insertInto('admin_alerts')
    .values({ tenant_id: tx.actor.tenant_id, threshold_id, name, metric, severity, value, ...state })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id');
  return idOf(opened.executeTakeFirst());
}

async function idOf(row: Promise<{ id: string } | undefined>): Promise<string | null> {
  return (await row)?.id ?? null;
}

/** Marks that a notification of an alert was sent. */
export async function markAlertNotified(tx: Tx, alertId: string, status: 'firing' | 'resolved'): Promise<void> {
  const column = status === 'firing' ? 'firing_told_at' : 'resolved_told_at';
  await tx.sql
    .updateTable('admin_alerts')
    .set({ [column]: sql`clock_timestamp()` })
    .where('id', '=', alertId)
    .where(column, 'is', null)
    .execute();
}

/** Marks that the end of a silence was notified, with an audit entry. */
export async function markSilenceLapsed(tx: Tx, silenceId: string): Promise<void> {
  const lapsed = await tx.sql
    .updateTable('admin_alert_silences')
    .set({ lapse_told_at: sql<string>`clock_timestamp()` })
    .where('id', '=', silenceId)
    .where('lapse_told_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (lapsed === undefined) return;
  tx.audit({ event: 'alert_silence.lapse', action: 'update', resource_type: 'alert_silence', resource_id: silenceId });
}
