import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { approvalsQuery } from '../approval/approval-row.queries.ts';

/** Items that a section of the dashboard shows; its link leads to the others. */
export const itemsShown = 5;
/** Counting stops here: nobody reads more off a dashboard, and a count over a whole table has no bound. */
export const countCap = 10_000;
/** Oldest pending requests among which those that wait for the caller are looked for. */
export const scanLimit = 100;

const hourMs = 3_600_000;
const before = (now: number, ms: number) => new Date(now - ms).toISOString();
const count = sql<number>`count(*)`.as('count');

/** Active users, those of the last seven days, and usable sessions. `now` in milliseconds since the epoch. */
export function userCountsQuery(now: number) {
  const people = kysely.selectFrom('users').where('status', '=', 'active').limit(countCap).select('id');
  const sessions = kysely
    .selectFrom('sessions')
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', new Date(now).toISOString())
    .limit(countCap)
    .select('id');
  return kysely.selectNoFrom([
    kysely.selectFrom(people.as('u')).select(count).as('active_count'),
    kysely
      .selectFrom(people.where('created_at', '>', before(now, 7 * 24 * hourMs)).as('u'))
      .select(count)
      .as('new_count'),
    kysely.selectFrom(sessions.as('s')).select(count).as('session_count'),
  ]);
}

/** The oldest pending approval requests with what is needed to tell who could decide them. */
export const pendingApprovalsQuery = () =>
  approvalsQuery().where('a.status', '=', 'pending').orderBy('a.created_at').orderBy('a.id').limit(scanLimit);

/** The newest changes of flags, each with the number of changes in the last 24 hours. */
export function flagChangesQuery(now: number) {
  const recent = kysely
    .selectFrom('admin_flag_history')
    .where('created_at', '>', before(now, 24 * hourMs))
    .limit(countCap)
    .select('id');
  return kysely
    .selectFrom('admin_flag_history')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(itemsShown)
    .select(['key', 'environment', 'change', 'version', 'changed_by', 'created_at as changed_at'])
    .select(kysely.selectFrom(recent.as('r')).select(count).as('changed_count'));
}

/** The firing alerts, the gravest first. Starts from the evaluation, so that its time is known without any alert too. */
export const firingAlertsQuery = () =>
  kysely
    .selectFrom(evaluatedQuery().as('e'))
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('admin_alerts')
          .where('status', '=', 'firing')
          .orderBy(sql`array_position(array['critical', 'warning', 'info'], severity)`)
          .orderBy('fired_at')
          .limit(itemsShown)
          .select(['id', 'name', 'severity', 'value', 'fired_at', sql<number>`count(*) over ()`.as('firing_count')])
          .as('a'),
      (join) => join.onTrue(),
    )
    .select(['e.evaluated_at', 'a.id', 'a.name', 'a.severity', 'a.value', 'a.fired_at', 'a.firing_count']);

/** When thresholds were last evaluated. */
function evaluatedQuery() {
  return kysely
    .selectFrom('admin_system_health')
    .where('tenant_id', 'is', null)
    .where('metric', '=', 'alerting.evaluated')
    .where('resolution_seconds', '=', 0)
    .select(sql<string | null>`max(at)`.as('evaluated_at'));
}

/** The newest entry of the tenant's audit chain, its newest checkpoint, and what its newest verification has found. */
export const auditHeadQuery = () =>
  kysely
    .selectFrom('audit_heads as h')
    .leftJoin('audit_logs as l', (join) => join.onRef('l.chain_id', '=', 'h.chain_id').onRef('l.seq', '=', 'h.size'))
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('audit_checkpoints as k')
          .whereRef('k.chain_id', '=', 'h.chain_id')
          .orderBy('k.size', 'desc')
          .limit(1)
          .select(['k.size', 'k.created_at'])
          .as('c'),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('audit_verifications as f')
          .whereRef('f.chain_id', '=', 'h.chain_id')
          .where('f.state', 'is not', null)
          .orderBy('f.verified_at', 'desc')
          .orderBy('f.id', 'desc')
          .limit(1)
          .select('f.state')
          .as('v'),
      (join) => join.onTrue(),
    )
    .select(['h.size as head_sequence', 'l.recorded_at as head_at', 'v.state'])
    .select(['c.size as verified_sequence', 'c.created_at as verified_at']);

/** Rollouts in progress, those that wait for a person first. There is at most one an environment. */
export const openRolloutsQuery = () =>
  kysely
    .selectFrom('admin_deployments')
    .where('status', 'in', ['pending', 'running', 'paused', 'holding'])
    .orderBy(sql`status = 'holding'`, 'desc')
    .orderBy('created_at')
    .limit(itemsShown)
    .select([
      'id',
      'environment',
      'kind',
      'config_version',
      'status',
      'candidate_percentage',
      'started_at',
      'updated_at',
    ]);

/** Integrations whose last sync failed, with the counts of enabled and failing ones and of old keys not revoked. */
export function failingIntegrationsQuery() {
  const enabled = kysely
    .selectFrom('admin_integrations')
    .where('deleted_at', 'is', null)
    .where('is_enabled', '=', true);
  const failing = enabled.where('last_sync_status', 'in', ['failed', 'completed_with_failures']);
  const stuck = kysely
    .selectFrom('admin_key_rotations')
    .where('status', 'in', ['revoking', 'discarding'])
    .where('attempt_error_code', 'is not', null);
  // One row without an integration where none fails, so that the counts are there.
  return kysely
    .selectFrom(enabled.select(count).as('e'))
    .leftJoinLateral(
      failing.orderBy('last_sync_at').limit(itemsShown).select(['id', 'name', 'environment', 'last_sync_at']).as('f'),
      (join) => join.onTrue(),
    )
    .select(['e.count as integration_count', 'f.id', 'f.name', 'f.environment', 'f.last_sync_at'])
    .select([failing.select(count).as('failing_count'), stuck.select(count).as('stuck_revocation_count')]);
}

const queueMetrics = [
  'queues.waiting',
  'queues.failed',
  'queues.oldest_waiting_seconds',
  'queues.unreachable',
] as const;
/** Older measurements say nothing about the backlog. */
const measuredWithinMs = 15 * 60_000;

/** What the collector measured last of the tenant's queues, with their number. */
export function queueMeasurementsQuery(tenantId: string, now: number) {
  const registered = kysely.selectFrom('admin_queues').where('removed_at', 'is', null);
  const newest = kysely
    .selectFrom('admin_system_health')
    .where('tenant_id', '=', tenantId)
    .where('metric', 'in', queueMetrics)
    .where('resolution_seconds', '=', 0)
    .where('at', '>', before(now, measuredWithinMs))
    .distinctOn('metric')
    .orderBy('metric')
    .orderBy('at', 'desc')
    .select(['metric', 'at', 'value']);
  const valueOf = (metric: (typeof queueMetrics)[number]) =>
    sql<number | null>`max(n.value) filter (where n.metric = ${metric})`;
  return kysely
    .selectFrom(newest.as('n'))
    .select([
      sql<string | null>`max(n.at)`.as('measured_at'),
      valueOf('queues.waiting').as('waiting_count'),
      valueOf('queues.failed').as('failed_count'),
      valueOf('queues.oldest_waiting_seconds').as('oldest_waiting_seconds'),
      valueOf('queues.unreachable').as('unreachable_count'),
      registered.select(count).as('queue_count'),
      registered.where('pause_state', 'is not', null).select(count).as('paused_count'),
    ]);
}
