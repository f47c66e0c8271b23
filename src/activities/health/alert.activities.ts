import { Context } from '@temporalio/activity';
import type { HealthMeasurement } from '../../domain/health/health-metric.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import { evaluateThresholds, sendAlertNotifications } from '../../services/health/alert-evaluation.service.ts';
import { healthTenants } from '../../services/health/health.queries.ts';
import { recordPlatformHealth } from '../../services/health/health.repository.ts';
import { watchCollection } from '../../services/health/health-watch.service.ts';
import type { AlertActivities } from '../../workflows/health/alert-evaluation.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'outbound' | 'temporal'>;

/** Tenants that one activity evaluates. */
const pageSize = 50;
const pingTimeoutMs = 5_000;

/** The activities of `alertEvaluationWorkflow`. */
export function createAlertActivities(deps: Deps): AlertActivities {
  const { db, env, log, outbound } = deps;
  const heartbeat = () => Context.current().heartbeat();

  const pingWatchdog = async (): Promise<HealthMeasurement[]> => {
    if (env.WATCHDOG_URL === undefined) return [];
    const sent = outbound.send({ url: env.WATCHDOG_URL, method: 'POST', timeoutMs: pingTimeoutMs });
    const isAccepted = await sent.then(
      ({ status }) => status < 300,
      (error: unknown) => {
        log.warn({ err: error }, 'the external watchdog could not be pinged');
        return false;
      },
    );
    return [{ metric: 'alerting.watchdog_up', value: isAccepted ? 1 : 0, reason: null }];
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
          const { thresholds, changed } = await evaluateThresholds(deps, actor, at);
          page.thresholds += thresholds;
          page.changed += changed;
          page.told += await sendAlertNotifications(deps, actor, at, heartbeat);
        } catch (error) {
          // The alerts of one tenant must not keep those of others back; the next evaluation takes up what is left.
          log.error({ err: error, tenant_id: tenantId }, 'the alerts of a tenant could not be evaluated or sent this time');
          page.failed += 1;
        }
        heartbeat();
      }
      return page;
    },

    async closeAlertEvaluation({ at, thresholds, failed }) {
      const pinged = await pingWatchdog();
      await recordPlatformHealth(db, new Date(at).toISOString(), [
        { metric: 'alerting.evaluated', value: thresholds, reason: null },
        { metric: 'alerting.failed_tenants', value: failed, reason: null },
        ...pinged,
      ]);
      return { collector_stopped_since: await watchCollection(deps, at) };
    },
  };
}
