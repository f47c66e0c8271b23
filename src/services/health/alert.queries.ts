import { sql } from 'kysely';
import { freshSeconds, observe } from '../../domain/health/alert.ts';
import type {
  AlertAggregate,
  AlertRule,
  AlertSeverity,
  AlertStanding,
  AlertStatus,
  Observed,
} from '../../domain/health/alert.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/** The columns of a threshold that people configure. */
export const thresholdColumns = [
  'name',
  'metric',
  'comparator',
  'threshold',
  'clear_threshold',
  'aggregate',
  'window_seconds',
  'for_seconds',
  'severity',
  'channel_ids',
  'note',
  'is_enabled',
] as const;

/**
 * The thresholds of a tenant with the measurements of their windows, their open alert, and whether a silence covers them.
 * Removed and disabled thresholds are included while their alert is open. A metric has rows of the platform or of tenants,
 * never of both.
 *
 * @param at RFC 3339.
 */
export function standingsQuery(at: string) {
  const inWindow = sql`h.at > ${at}::timestamptz - make_interval(secs => t.window_seconds)`;
  return kysely
    .selectFrom('admin_alert_thresholds as t')
    .leftJoin('admin_alerts as a', (join) =>
      join.onRef('a.threshold_id', '=', 't.id').on('a.status', 'in', ['pending', 'firing']),
    )
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('admin_system_health as h')
          .where((on) => on.or([on('h.tenant_id', 'is', null), on('h.tenant_id', '=', on.ref('t.tenant_id'))]))
          .whereRef('h.metric', '=', 't.metric')
          .where('h.resolution_seconds', '=', 0)
          .where('h.at', '<=', at)
          .where(
            sql<boolean>`h.at > ${at}::timestamptz - make_interval(secs => greatest(t.window_seconds, ${freshSeconds}))`,
          )
          .select([
            sql<number | null>`avg(h.value) filter (where ${inWindow})`.as('avg'),
            sql<number | null>`min(h.value) filter (where ${inWindow})`.as('min'),
            sql<number | null>`max(h.value) filter (where ${inWindow})`.as('max'),
            sql<number | null>`(array_agg(h.value order by h.at desc))[1]`.as('last'),
            sql<string | null>`max(h.at)`.as('last_at'),
          ])
          .as('w'),
      (join) => join.onTrue(),
    )
    .where((eb) =>
      eb.or([eb.and([eb('t.removed_at', 'is', null), eb('t.is_enabled', '=', true)]), eb('a.id', 'is not', null)]),
    )
    .orderBy('t.name')
    .orderBy('t.id')
    .select(['t.id as threshold_id', 't.removed_at', ...thresholdColumns.map((column) => `t.${column}` as const)])
    .select(['a.id as alert_id', 'a.status', 'a.pending_since', 'a.fired_at', 'a.firing_told_at'])
    .select(['w.avg', 'w.min', 'w.max', 'w.last', 'w.last_at'])
    .select((eb) => [
      eb.exists(silencesAt(at, 't.id')).as('is_silenced'),
      eb
        .exists(silencesAt(at, 't.id').where(sql<boolean>`greatest(s.starts_at, s.created_at) <= a.fired_at`))
        .as('is_silenced_since_fired'),
    ]);
}

/** The silences that cover a threshold at a time: its own and those for all thresholds. */
function silencesAt(at: string, thresholdId: 't.id' | 'a.threshold_id') {
  return kysely
    .selectFrom('admin_alert_silences as s')
    .where('s.ended_at', 'is', null)
    .where('s.starts_at', '<=', at)
    .where('s.ends_at', '>', at)
    .where(sql<boolean>`(s.threshold_id is null or s.threshold_id = ${sql.ref(thresholdId)})`)
    .select('s.id');
}

/** The columns of {@link standingsQuery} that the rules use. */
interface StandingRow extends AlertRule {
  readonly aggregate: AlertAggregate;
  readonly window_seconds: number;
  readonly status: AlertStatus | null;
  readonly pending_since: string | null;
  readonly fired_at: string | null;
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly last: number | null;
  readonly last_at: string | null;
}

/** The state of a threshold. */
export function standingOf({ status, pending_since, fired_at }: StandingRow): AlertStanding {
  if (status === 'firing' && fired_at !== null) return { state: 'firing', since: Date.parse(fired_at) };
  if (status === 'pending' && pending_since !== null) return { state: 'pending', since: Date.parse(pending_since) };
  return { state: 'quiet' };
}

/** The value that a threshold is compared with; `at` in milliseconds since the epoch. */
export function observedOf(row: StandingRow, at: number): Observed {
  const last_at = row.last_at === null ? null : Date.parse(row.last_at);
  return observe({ ...row, last_at }, row, at);
}

/** Alerts of which a notification is due, oldest first. `at` in RFC 3339. */
export function pendingNotificationsQuery(at: string, limit: number) {
  return kysely
    .selectFrom('admin_alerts as a')
    .innerJoin('admin_alert_thresholds as t', 't.id', 'a.threshold_id')
    .where((eb) =>
      eb.or([
        eb.and([eb('a.status', '=', 'firing'), eb('a.firing_told_at', 'is', null)]),
        eb.and([
          eb('a.status', '=', 'resolved'),
          eb('a.resolved_told_at', 'is', null),
          eb('a.suppressed_at', 'is', null),
        ]),
      ]),
    )
    .where((eb) =>
      // A silence holds back the notification that an alert fires.
      eb.or([eb('a.status', '=', 'resolved'), eb.not(eb.exists(silencesAt(at, 'a.threshold_id')))]),
    )
    .orderBy('a.created_at')
    .orderBy('a.id')
    .limit(limit)
    .select(['a.id', 'a.name', 'a.metric', 'a.severity', 'a.status', 'a.value', 'a.fired_at', 'a.resolved_at'])
    .select(['a.resolve_reason', 'a.firing_told_at', 'a.resolved_told_at', 'a.suppressed_at'])
    .select(['t.comparator', 't.threshold', 't.for_seconds', 't.channel_ids', 't.note']);
}

/** Silences that have run out without a notification. `at` in RFC 3339. */
export function lapsedSilencesQuery(at: string, limit: number) {
  return kysely
    .selectFrom('admin_alert_silences as s')
    .leftJoin('admin_alert_thresholds as t', 't.id', 's.threshold_id')
    .where('s.ended_at', 'is', null)
    .where('s.lapse_told_at', 'is', null)
    .where('s.ends_at', '<=', at)
    .orderBy('s.ends_at')
    .limit(limit)
    .select(['s.id', 's.owner_id', 's.reason', 's.ends_at', 't.name']);
}

/** The thresholds of a tenant with their present state, in one round trip. `at` in milliseconds since the epoch. */
export async function findThresholds(db: ReadSource, scope: ReadScope, at: number) {
  const [[settings], stored, standings] = await readAll(db, scope, [
    kysely.selectFrom('admin_alert_settings').select(['version', 'updated_at', 'updated_by']),
    kysely
      .selectFrom('admin_alert_thresholds')
      .where('removed_at', 'is', null)
      .orderBy('name')
      .select(['id', ...thresholdColumns]),
    standingsQuery(new Date(at).toISOString()),
  ]);
  const standingById = new Map(standings.map((row) => [row.threshold_id, row]));
  const thresholds = stored.map((threshold) => {
    const row = standingById.get(threshold.id);
    // A disabled threshold without an open alert is not evaluated.
    if (row === undefined) return { ...threshold, state: 'quiet', since: null, observed: null, is_silenced: false };
    const standing = standingOf(row);
    return {
      ...threshold,
      state: standing.state,
      since: standing.state === 'quiet' ? null : new Date(standing.since).toISOString(),
      observed: observedOf(row, at),
      is_silenced: Boolean(row.is_silenced),
    };
  });
  return {
    version: settings?.version ?? 0,
    updated_at: settings?.updated_at ?? null,
    updated_by: settings?.updated_by ?? null,
    thresholds,
  };
}

const alertColumns = [
  'id',
  'threshold_id',
  'name',
  'metric',
  'severity',
  'status',
  'value',
  'pending_since',
  'fired_at',
  'resolved_at',
  'resolve_reason',
  'suppressed_at',
  'firing_told_at',
  'resolved_told_at',
  'created_at',
] as const;

/** Alerts of the tenant, for a page; a filter that is undefined does not restrict. */
export const alertsQuery = (filter: {
  readonly status?: AlertStatus | undefined;
  readonly severity?: AlertSeverity | undefined;
}) =>
  kysely
    .selectFrom('admin_alerts')
    .where((eb) => eb.and({ status: filter.status, severity: filter.severity }))
    .select(alertColumns);

/** One alert. @throws Problem 404. */
export async function findAlert(db: ReadSource, scope: ReadScope, id: string) {
  const [alert] = await read(db, scope, kysely.selectFrom('admin_alerts').where('id', '=', id).select(alertColumns));
  if (alert === undefined) throw notFound('alert');
  return alert;
}

/** Columns of a silence that leave the database. */
export const silenceColumns = [
  'id',
  'threshold_id',
  'owner_id',
  'reason',
  'starts_at',
  'ends_at',
  'ended_at',
  'ended_by',
  'lapse_told_at',
  'version',
  'created_at',
  'updated_at',
] as const;

/**
 * Silences of the tenant, for a page.
 *
 * @param isOpen restricts to those that are not over at `at` (RFC 3339), or to the others; undefined does not restrict.
 */
export function silencesQuery(isOpen: boolean | undefined, at: string) {
  const open = sql<boolean>`(ended_at is null and ends_at > ${at})`;
  return kysely
    .selectFrom('admin_alert_silences')
    .$call((q) => (isOpen === undefined ? q : q.where(open, '=', isOpen)))
    .select(silenceColumns);
}

/** One silence. @throws Problem 404. */
export async function findSilence(db: ReadSource, scope: ReadScope, id: string) {
  const silences = kysely.selectFrom('admin_alert_silences').where('id', '=', id).select(silenceColumns);
  const [silence] = await read(db, scope, silences);
  if (silence === undefined) throw notFound('silence');
  return silence;
}
