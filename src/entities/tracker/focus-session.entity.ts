import type { FocusEnding } from '../../domain/tracker/tracker-focus.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantPolicies } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** One focus session (S0-13). Written by the activities of its workflow only. */
export const AdminFocusSessionEntity = defineEntity({
  name: 'AdminFocusSession',
  tableName: 'admin_focus_sessions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    start_time: timestamp(),
    end_time: timestamp().nullable(),
    duration_minutes: p.integer().default(50),
    completed: p.boolean().default(false),
    interrupted: p.boolean().default(false),
    notes: p.text().nullable(),
    /** When the timer ends if nobody pauses again. */
    due_at: timestamp(),
    paused_at: timestamp().nullable(),
    /** Length of the pauses that are over, milliseconds. */
    paused_ms: p.integer().default(0),
    ending: p.string().length(20).$type<FocusEnding>().nullable(),
    /** Whole minutes without pauses, known at the end (S0-85). */
    actual_minutes: p.integer().nullable(),
  },
});
