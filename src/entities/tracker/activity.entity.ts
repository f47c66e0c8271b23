import type { ActivityStatus, ActivityType } from '../../domain/tracker/tracker-scoring.ts';
import { defineEntity, p, tenantPolicies, updatedAt } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** An activity of a user (S0-11), which may belong to a prospect. */
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
    /** The meeting that this is a follow-up task of, and the line of the task; at most one activity for each line. */
    meeting_id: p.integer().nullable(),
    follow_up_line: p.integer().nullable(),
    ...updatedAt,
  },
});

/** An activity as text for logs (S0-23). */
export function activityText(activity: { id: number; type: string; date: string }): string {
  return `<AdminActivity(id=${activity.id}, type=${activity.type}, date=${activity.date})>`;
}
