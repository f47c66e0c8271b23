import { Context } from '@temporalio/activity';
import { markAlertTold, markSilenceLapsed, takeAlertSteps } from '../../services/health/alert-episodes.service.ts';
import type { AlertChange } from '../../services/health/alert-episodes.service.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { newsDue, stepAlert } from '../../domain/health/alert.ts';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import {
  lapsedSilencesQuery,
  observedOf,
  standingOf,
  standingsQuery,
  untoldAlertsQuery,
} from '../../services/health/alert.queries.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { AlertActivities } from '../../workflows/health/alert-evaluation.contract.ts';
import { alertNotice, silenceNotice } from './alert-notifications.ts';
import { alertPeople } from '../../services/health/alert-recipients.queries.ts';
import type { ActivityDeps } from '../deps.ts';
import { healthTenants, recordPlatformHealth, silentSince } from '../../services/health/health.repository.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'outbound' | 'temporal'>;

/** Tenants in one activity; news of one tenant in one evaluation. */
const pageSize = 50;
const newsLimit = 500;
const pingTimeoutMs = 5_000;

/** The hands of the alert evaluation. */
export function createAlertActivities(deps: Deps): AlertActivities {
  const { db, env, log, outbound } = deps;
  const notify = createNotify(deps);
  const beat = () => Context.current().heartbeat();

  /** @returns the number of thresholds and of those whose alert has changed. */
  const evaluate = async (actor: Actor, at: number): Promise<{ thresholds: number; changed: number }> => {
    const moment = new Date(at).toISOString();
    const rows = await read(db, actor, standingsQuery(moment));
    const changes = rows.flatMap((row) => changeOf(row, at));
    const changed = changes.length === 0 ? 0 : await unitOfWork(db, actor, (tx) => takeAlertSteps(tx, changes, moment));
    return { thresholds: rows.length, changed };
  };

  /**
   * First the notifier, then the mark: whoever is killed in between tells it again under the same key, once for
   * people.
   */
  const tell = async (actor: Actor, at: number): Promise<number> => {
    const moment = new Date(at).toISOString();
    const [alerts, silences] = await readAll(db, actor, [
      untoldAlertsQuery(moment, newsLimit),
      lapsedSilencesQuery(moment, newsLimit),
    ]);
    let told = 0;
    for (const { channel_ids, ...alert } of alerts) {
      for (const news of newsDue(toldOf(alert), false)) {
        const notice = alertNotice(alert, news);
        if (channel_ids.length > 0) await notify(actor, notice, [], channel_ids);
        else await notify(actor, notice, await alertPeople(db, actor, notice.event));
        await unitOfWork(db, actor, (tx) => markAlertTold(tx, alert.id, news));
        told += 1;
      }
      beat();
    }
    for (const silence of silences) {
      await notify(actor, silenceNotice(silence), [silence.owner_id]);
      await unitOfWork(db, actor, (tx) => markSilenceLapsed(tx, silence.id));
      told += 1;
      beat();
    }
    return told;
  };

  const ping = async (): Promise<HealthMeasurement[]> => {
    if (env.WATCHDOG_URL === undefined) return [];
    const sent = outbound.send({ url: env.WATCHDOG_URL, method: 'POST', timeoutMs: pingTimeoutMs });
    const isTaken = await sent.then(
      ({ status }) => status < 300,
      (error: unknown) => {
        log.warn({ err: error }, 'the external watcher could not be pinged');
        return false;
      },
    );
    return [{ metric: 'alerting.watchdog_up', value: isTaken ? 1 : 0, reason: null }];
  };

  return {
    async evaluateAlerts({ at, after }) {
      const tenants = await healthTenants(db, after, pageSize);
      const page = { thresholds: 0, changed: 0, told: 0, failed: 0, next_after: tenants[pageSize - 1] ?? null };
      for (const tenantId of tenants) {
        const actor = systemActor(tenantId, {
          workflow_id: Context.current().info.workflowExecution?.workflowId ?? 'alert-evaluation',
        });
        try {
          const { thresholds, changed } = await evaluate(actor, at);
          page.thresholds += thresholds;
          page.changed += changed;
          page.told += await tell(actor, at);
        } catch (error) {
          // One tenant must not keep the others from being told; the next evaluation goes on where this one stopped.
          log.error({ err: error, tenant_id: tenantId }, 'the alerts of a tenant were not evaluated or told this time');
          page.failed += 1;
        }
        beat();
      }
      return page;
    },

    async closeAlertEvaluation({ at, thresholds, failed }) {
      const pinged = await ping();
      await recordPlatformHealth(db, new Date(at).toISOString(), [
        { metric: 'alerting.evaluated', value: thresholds, reason: null },
        { metric: 'alerting.failed_tenants', value: failed, reason: null },
        ...pinged,
      ]);
      const since = await silentSince(db, 'database.up', 'alerting.evaluated', at);
      if (since !== null) {
        const notice = {
          event: 'alert.watch-stopped' as const,
          event_key: `alert/watch/collection/${since}`,
          subject: 'Nothing is measured any more',
          text: `No measurement was written since ${since}: alerts keep their state until measuring goes on.`,
          data: { what: 'collection', since },
        };
        const staff = systemActor(defaultTenantId);
        await notify(staff, notice, await alertPeople(db, staff, notice.event));
      }
      return { collector_stopped_since: since };
    },
  };
}

type StandingRow = Awaited<ReturnType<ReturnType<typeof standingsQuery>['execute']>>[number];

/** What is to be written for a threshold now; nothing for most. */
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

function toldOf(alert: {
  status: 'pending' | 'firing' | 'resolved';
  firing_told_at: string | null;
  resolved_told_at: string | null;
  suppressed_at: string | null;
}) {
  return {
    status: alert.status,
    firing_told: alert.firing_told_at !== null,
    resolved_told: alert.resolved_told_at !== null,
    suppressed: alert.suppressed_at !== null,
  };
}
