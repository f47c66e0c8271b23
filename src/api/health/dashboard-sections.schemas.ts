import { sql } from 'kysely';
import { z } from 'zod';
import { refusal } from '../../domain/approval/approval.ts';
import { alertSeverities } from '../../domain/health/alert.ts';
import { approvalOfRow, approvalsQuery } from '../../services/approval/approval-row.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import { integrations, queues, rollouts } from './dashboard-operations.schemas.ts';
import { dashboardSection } from './dashboard-section.ts';
import { environmentName } from '../approval/approval.schemas.ts';
import { timestamp } from '../../platform/value-schemas.ts';

/** Things of one section that are shown; the link leads to the others. */
const shown = 5;
/** Counting stops here: nobody reads more off a dashboard, and a count over everything has no bound. */
const countedTo = 10_000;
const counted = z.int().min(0).max(countedTo).describe(`Counted up to ${countedTo}`);

const hour = 3_600_000;
const before = (now: number, ms: number) => new Date(now - ms).toISOString();

const users = dashboardSection({
  key: 'users',
  permission: 'user:read',
  link: '/admin/users',
  data: z
    .object({
      active_count: counted,
      new_count: counted.describe('Made in the last seven days'),
      session_count: counted.describe('Sessions that could be used now'),
    })
    .meta({ id: 'DashboardUsers' }),
  query: ({ now, at }) => {
    const people = query.selectFrom('users').where('status', '=', 'active').limit(countedTo).select('id');
    const sessions = query
      .selectFrom('sessions')
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', at)
      .limit(countedTo)
      .select('id');
    return query.selectNoFrom([
      query
        .selectFrom(people.as('u'))
        .select(sql<number>`count(*)`.as('count'))
        .as('active_count'),
      query
        .selectFrom(people.where('created_at', '>', before(now, 7 * 24 * hour)).as('u'))
        .select(sql<number>`count(*)`.as('count'))
        .as('new_count'),
      query
        .selectFrom(sessions.as('s'))
        .select(sql<number>`count(*)`.as('count'))
        .as('session_count'),
    ]);
  },
  present: ([row], { at }) => ({
    as_of: at,
    data: {
      active_count: row?.active_count ?? 0,
      new_count: row?.new_count ?? 0,
      session_count: row?.session_count ?? 0,
    },
  }),
});

/** Oldest requests that are looked at for those that wait for the caller. */
const lookedAt = 100;

const approvals = dashboardSection({
  key: 'approvals',
  permission: 'approval:read',
  link: '/admin/approvals?status=pending',
  data: z
    .object({
      pending_count: z.int().min(0).max(lookedAt).describe(`The oldest ${lookedAt} at most`),
      mine_count: z.int().min(0).describe('Of these, those that wait for my decision'),
      oldest_at: timestamp.nullable(),
      items: z
        .array(
          z.object({
            id: z.uuid(),
            action: z.string(),
            environment: environmentName.nullable(),
            requested_by: z.uuid(),
            is_mine: z.boolean().describe('I could approve it now'),
            review_due_at: timestamp,
            created_at: timestamp,
          }),
        )
        .describe('Mine first, then the oldest'),
    })
    .meta({ id: 'DashboardApprovals' }),
  query: () =>
    approvalsQuery().where('a.status', '=', 'pending').orderBy('a.created_at').orderBy('a.id').limit(lookedAt),
  present: (rows, { actor, now, at }) => {
    const { user_id, roles, permissions } = actor;
    const items = rows.map((row) => {
      const approval = approvalOfRow(row, row.approvals);
      const is_mine =
        user_id !== null &&
        permissions.includes('approval:decide') &&
        refusal(approval, { kind: 'approve', by: { user_id, roles }, digest: row.digest }, now) === null;
      const { id, action, environment, requested_by, review_due_at, created_at } = row;
      return { id, action, environment, requested_by, is_mine, review_due_at, created_at };
    });
    const mine = items.filter(({ is_mine }) => is_mine);
    return {
      as_of: at,
      data: {
        pending_count: items.length,
        mine_count: mine.length,
        oldest_at: rows[0]?.created_at ?? null,
        items: [...mine, ...items.filter(({ is_mine }) => !is_mine)].slice(0, shown),
      },
    };
  },
});

const flags = dashboardSection({
  key: 'flags',
  permission: 'flag:read',
  link: '/admin/feature-flags',
  data: z
    .object({
      changed_count: counted.describe('Changes of the last 24 hours'),
      items: z.array(
        z.object({
          key: z.string(),
          environment: environmentName,
          change: z.enum(['created', 'updated', 'toggled', 'emergency_off']),
          version: z.int(),
          changed_by: z.uuid().nullable(),
          changed_at: timestamp,
        }),
      ),
    })
    .meta({ id: 'DashboardFlags' }),
  query: ({ now }) => {
    const recent = query
      .selectFrom('admin_flag_history')
      .where('created_at', '>', before(now, 24 * hour))
      .limit(countedTo)
      .select('id');
    return query
      .selectFrom('admin_flag_history')
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(shown)
      .select(['key', 'environment', 'change', 'version', 'changed_by', 'created_at as changed_at'])
      .select(
        query
          .selectFrom(recent.as('r'))
          .select(sql<number>`count(*)`.as('count'))
          .as('changed_count'),
      );
  },
  present: (rows, { at }) => ({
    as_of: at,
    data: { changed_count: rows[0]?.changed_count ?? 0, items: rows.map(({ changed_count: _count, ...item }) => item) },
  }),
});

const alerts = dashboardSection({
  key: 'alerts',
  permission: 'health:read',
  link: '/admin/alerts?status=firing',
  data: z
    .object({
      firing_count: counted,
      items: z
        .array(
          z.object({
            id: z.uuid(),
            name: z.string(),
            severity: z.enum(alertSeverities),
            value: z.number().nullable().describe('What was seen when it fired'),
            fired_at: timestamp,
          }),
        )
        .describe('The gravest first'),
    })
    .meta({ id: 'DashboardAlerts' }),
  // Starts from the evaluation, so that its age is known without any alert too.
  query: () =>
    query
      .selectFrom(evaluatedQuery().as('e'))
      .leftJoinLateral(
        (eb) =>
          eb
            .selectFrom('admin_alerts')
            .where('status', '=', 'firing')
            .orderBy(sql`array_position(array['critical', 'warning', 'info'], severity)`)
            .orderBy('fired_at')
            .limit(shown)
            .select(['id', 'name', 'severity', 'value', 'fired_at', sql<number>`count(*) over ()`.as('firing_count')])
            .as('a'),
        (join) => join.onTrue(),
      )
      .select(['e.evaluated_at', 'a.id', 'a.name', 'a.severity', 'a.value', 'a.fired_at', 'a.firing_count']),
  present: (rows) => ({
    as_of: rows[0]?.evaluated_at ?? null,
    data: {
      firing_count: Math.min(countedTo, rows[0]?.firing_count ?? 0),
      items: rows.flatMap(({ id, name, severity, value, fired_at }) =>
        id === null || name === null || severity === null || fired_at === null
          ? []
          : [{ id, name, severity, value, fired_at }],
      ),
    },
  }),
});

/** When thresholds were last compared. */
function evaluatedQuery() {
  return query
    .selectFrom('admin_system_health')
    .where('tenant_id', 'is', null)
    .where('metric', '=', 'alerting.evaluated')
    .where('resolution_seconds', '=', 0)
    .select(sql<string | null>`max(at)`.as('evaluated_at'));
}

const audit = dashboardSection({
  key: 'audit',
  permission: 'audit:read',
  link: '/admin/audit-logs',
  data: z
    .object({
      head_sequence: z.int().describe('Number of the newest entry; 0 without any'),
      head_at: timestamp.nullable(),
      verified_sequence: z.int().describe('Up to here the chain was verified and signed'),
      verified_at: timestamp.nullable().describe('When the last checkpoint was signed'),
    })
    .meta({ id: 'DashboardAudit' }),
  query: () =>
    query
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
      .select(['h.size as head_sequence', 'l.recorded_at as head_at'])
      .select(['c.size as verified_sequence', 'c.created_at as verified_at']),
  present: ([row], { at }) => ({
    as_of: at,
    data: {
      head_sequence: row?.head_sequence ?? 0,
      head_at: row?.head_at ?? null,
      verified_sequence: row?.verified_sequence ?? 0,
      verified_at: row?.verified_at ?? null,
    },
  }),
});

/** The sections in the order in which they are shown. A feature adds its own here. */
export const dashboardSections = [users, approvals, flags, rollouts, integrations, queues, alerts, audit] as const;
