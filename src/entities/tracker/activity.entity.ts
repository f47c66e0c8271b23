import type { ActivityStatus, ActivityType } from '../../domain/tracker/tracker-scoring.ts';
import { defineEntity, p, tenantPolicies, updatedAt } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** One line of the daily log (S0-11); belongs to a user and may belong to a prospect. */
export const AdminActivityEntity = defineEntity({
  name: 'AdminActivity',
  tableName: 'admin_activities',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    type: p.string().length(50).$type<ActivityType>(),
    status: p.string().length(20).$type<ActivityStatus>(),
    date: p.date(),
    amount: p.integer().default(1),
    notes: p.text().nullable(),
    prospect_id: p.integer().nullable(),
    /** The meeting whose follow-up task this is, with the line of the task; at most one activity a line. */
    meeting_id: p.integer().nullable(),
    follow_up_line: p.integer().nullable(),
    ...updatedAt,
  },
});

/** How an activity reads in logs (S0-23). */
export function activityText(activity: { id: number; type: string; date: string }): string {
  return `<AdminActivity(id=${activity.id}, type=${activity.type}, date=${activity.date})>`;
}
