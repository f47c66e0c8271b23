import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantPolicies, updatedAt } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** Kinds of meetings (S0-15). */
export const meetingTypes = ['discovery', 'demo', 'negotiation', 'closing'] as const;
export type MeetingType = (typeof meetingTypes)[number];

/** Outcomes of a planned meeting (S0-93). */
export const meetingOutcomes = ['held', 'not_held', 'cancelled'] as const;
type MeetingOutcome = (typeof meetingOutcomes)[number];

/** A template, or with `scheduled_at` a planned meeting (S0-15, S0-93). */
export const AdminMeetingEntity = defineEntity({
  name: 'AdminMeeting',
  tableName: 'admin_meetings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    title: p.string().length(255),
    type: p.string().length(50).$type<MeetingType>(),
    duration_minutes: p.integer().default(60),
    agenda: p.text().nullable(),
    questions: p.text().nullable(),
    /** One task a line. */
    follow_up_tasks: p.text().nullable(),
    template_id: p.integer().nullable(),
    scheduled_at: timestamp().nullable(),
    prospect_id: p.integer().nullable(),
    outcome: p.string().length(20).$type<MeetingOutcome>().nullable(),
    outcome_notes: p.text().nullable(),
    ...updatedAt,
  },
});

/** A meeting as text for logs (S0-23), without what people write in it. */
export function meetingText(meeting: { id: number; user_id: string; type: string }): string {
  return `<AdminMeeting(id=${meeting.id}, user_id=${meeting.user_id}, type=${meeting.type})>`;
}
