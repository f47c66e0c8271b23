import type { FocusEnding } from '../../domain/tracker/tracker-focus.ts';
import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantPolicies } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** One focus session (S0-13). Written by `focus-session.repository.ts` only, on behalf of its workflow. */
export const AdminFocusSessionEntity = defineEntity({
  name: 'AdminFocusSession',
  tableName: 'admin_focus_sessions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    /** The command that began it, which names its workflow; null for sessions from before commands. */
    command_id: p.uuid().nullable(),
    start_time: timestamp(),
    end_time: timestamp().nullable(),
    duration_minutes: p.integer().default(50),
    completed: p.boolean().default(false),
    interrupted: p.boolean().default(false),
    notes: p.text().nullable(),
    /** When the timer fires unless there is another pause. */
    due_at: timestamp(),
    paused_at: timestamp().nullable(),
    /** Total length of the pauses that have ended, in milliseconds. */
    paused_ms: p.integer().default(0),
    ending: p.string().length(20).$type<FocusEnding>().nullable(),
    /** Whole minutes without pauses; null until the session has ended (S0-85). */
    actual_minutes: p.integer().nullable(),
  },
});

/** A focus session as text for logs (S0-23). */
export function focusSessionText(session: { id: number; user_id: string; start_time: string }): string {
  return `<AdminFocusSession(id=${session.id}, user_id=${session.user_id}, start_time=${session.start_time})>`;
}
