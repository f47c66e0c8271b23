import { z } from 'zod';
import { refusal } from '../../domain/approval/approval.ts';
import { fourEyesWarnings } from '../../domain/approval/four-eyes-state.ts';
import { chainStates } from '../../domain/audit/audit-chain.ts';
import { alertSeverities } from '../../domain/health/alert.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { approvalOfRow } from '../../services/approval/approval-row.queries.ts';
import {
  auditHeadQuery,
  countCap,
  firingAlertsQuery,
  flagChangesQuery,
  itemsShown,
  pendingApprovalsQuery,
  scanLimit,
  userCountsQuery,
} from '../../services/health/dashboard.queries.ts';
import { fourEyesOfRow, fourEyesQuery } from '../../services/identity/role/decider.queries.ts';
import { environmentName } from '../approval/approval.schemas.ts';
import { integrations, queues, rollouts } from './dashboard-operations.schemas.ts';
import { dashboardSection } from './dashboard-section.ts';

const counted = z.int().min(0).max(countCap).describe(`Counted up to ${countCap}`);

const users = dashboardSection({
  key: 'users',
  permission: 'user:read',
  link: '/admin/users',
  data: z
    .object({
      active_count: counted,
      new_count: counted.describe('Created in the last seven days'),
      session_count: counted.describe('Active sessions'),
    })
    .meta({ id: 'DashboardUsers' }),
  query: ({ now }) => userCountsQuery(now),
  present: ([row], { at }) => ({
    as_of: at,
    data: {
      active_count: row?.active_count ?? 0,
      new_count: row?.new_count ?? 0,
      session_count: row?.session_count ?? 0,
    },
  }),
});

const approvals = dashboardSection({
  key: 'approvals',
  permission: 'approval:read',
  link: '/admin/approvals?status=pending',
  data: z
    .object({
      pending_count: z.int().min(0).max(scanLimit).describe(`The oldest ${scanLimit} at most`),
      mine_count: z.int().min(0).describe('Of these, requests that wait for the caller’s decision'),
      oldest_at: timestamp.nullable(),
      items: z
        .array(
          z.object({
            id: uuid,
            action: z.string(),
            environment: environmentName.nullable(),
            requested_by: uuid,
            is_mine: z.boolean().describe('Whether the caller can approve it now'),
            review_due_at: timestamp,
            created_at: timestamp,
          }),
        )
        .describe('Those that wait for the caller first, then the oldest'),
    })
    .meta({ id: 'DashboardApprovals' }),
  query: pendingApprovalsQuery,
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
        items: [...mine, ...items.filter(({ is_mine }) => !is_mine)].slice(0, itemsShown),
      },
    };
  },
});

const fourEyes = dashboardSection({
  key: 'four_eyes',
  // Whoever is warned can have somebody named or confirmed in time, so it takes no right over accounts to see it.
  permission: 'dashboard:read',
  link: '/admin/account-acts?state=open',
  data: z
    .object({
      has_pair: z.boolean().describe('Two administrators are apart, so that they can approve for one another'),
      decider_count: z.int().min(0).describe('Active users who hold the right to decide on approval requests'),
      super_admin_count: z.int().min(0).describe('Of these, super admins'),
      warnings: z
        .array(z.enum(fourEyesWarnings))
        .describe(
          '`no_pair`: no two administrators are apart, so none can approve for another; `last_pair`: there would be no pair ' +
            'if a certain one of them left; `one_super_admin`: one user alone can do what is left to that role',
        ),
    })
    .meta({ id: 'DashboardFourEyes' }),
  query: fourEyesQuery,
  present: ([row], { at }) => {
    const { warnings, ...state } = fourEyesOfRow(row);
    return { as_of: at, data: { ...state, warnings: [...warnings] } };
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
          changed_by: uuid.nullable(),
          changed_at: timestamp,
        }),
      ),
    })
    .meta({ id: 'DashboardFlags' }),
  query: ({ now }) => flagChangesQuery(now),
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
            id: uuid,
            name: z.string(),
            severity: z.enum(alertSeverities),
            value: z.number().nullable().describe('Value when it fired'),
            fired_at: timestamp,
          }),
        )
        .describe('The most severe first'),
    })
    .meta({ id: 'DashboardAlerts' }),
  query: firingAlertsQuery,
  present: (rows) => ({
    as_of: rows[0]?.evaluated_at ?? null,
    data: {
      firing_count: Math.min(countCap, rows[0]?.firing_count ?? 0),
      items: rows.flatMap(({ id, name, severity, value, fired_at }) =>
        id === null || name === null || severity === null || fired_at === null
          ? []
          : [{ id, name, severity, value, fired_at }],
      ),
    },
  }),
});

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
      state: z.enum(chainStates).nullable().describe('What the last verification of the whole chain has found; null before one'),
    })
    .meta({ id: 'DashboardAudit' }),
  query: auditHeadQuery,
  present: ([row], { at }) => ({
    as_of: at,
    data: {
      head_sequence: row?.head_sequence ?? 0,
      head_at: row?.head_at ?? null,
      verified_sequence: row?.verified_sequence ?? 0,
      verified_at: row?.verified_at ?? null,
      state: row?.state ?? null,
    },
  }),
});

/** The sections in the order of the dashboard. A new area adds its own here. */
export const dashboardSections = [users, approvals, fourEyes, flags, rollouts, integrations, queues, alerts, audit] as const;
