import { defineEntity, p, tenantPolicies, updatedAt } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** The targets of a user for one week (S0-10). */
export const AdminGoalEntity = defineEntity({
  name: 'AdminGoal',
  tableName: 'admin_goals',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    week_start: p.date(),
    target_discoveries: p.integer().default(0),
    target_emails: p.integer().default(0),
    target_videos: p.integer().default(0),
    target_calls: p.integer().default(0),
    ...updatedAt,
  },
});

/** A goal as text for logs (S0-23). */
export function goalText(goal: { id: number; user_id: string; week_start: string }): string {
  return `<AdminGoal(id=${goal.id}, user_id=${goal.user_id}, week=${goal.week_start})>`;
}
