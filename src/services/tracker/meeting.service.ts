import type { ActivityType } from '../../domain/tracker/tracker-scoring.ts';
import { AdminMeetingEntity } from '../../entities/tracker/meeting.entity.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import { logActivities } from './activity.service.ts';
import type { ActivityRow } from './activity.service.ts';
import { lockMeeting, meetingColumns } from './meeting.repository.ts';
import { assertOwnProspect } from './own-prospect.repository.ts';
import type { MeetingRow } from './meeting.repository.ts';

const resource_type = 'meeting';

/** What a planned meeting copies from its template. */
const templateColumns = ['title', 'type', 'duration_minutes', 'agenda', 'questions', 'follow_up_tasks'] as const;

/** A meeting as it is asked for. */
type NewMeeting = Pick<MeetingRow, (typeof templateColumns)[number] | 'scheduled_at' | 'prospect_id'> &
  Partial<Pick<MeetingRow, 'template_id'>>;

/** The fields of a meeting that can change. */
type MeetingChange = Partial<Omit<NewMeeting, 'template_id'> & Pick<MeetingRow, 'outcome' | 'outcome_notes'>>;

/** A follow-up task that becomes an activity: its line, from 1. */
interface FollowUp {
  readonly line: number;
  readonly type: ActivityType;
  readonly date: string;
}

/**
 * Creates a template, or with `scheduled_at` a planned meeting (S0-15, S0-93).
 *
 * @throws Problem `request.invalid` for a prospect that is not the person's.
 */
export async function createMeeting(tx: Tx, userId: string, values: NewMeeting): Promise<MeetingRow> {
  await assertOwnProspect(tx, userId, values.prospect_id);
  const meeting = tx.em.create(AdminMeetingEntity, { ...values, user_id: userId });
  await tx.flush();
  const row = toRow(meeting, meetingColumns);
  tx.audit({ event: 'meeting.create', action: 'create', resource_type, resource_id: String(row.id), new_values: row });
  return row;
}

/**
 * Changes the fields that are given.
 *
 * @throws Problem `resource.not-found`; `resource.conflict` for a template's outcome; `request.invalid` for a prospect that is not
 *   the person's.
 */
export async function updateMeeting(tx: Tx, userId: string, id: number, change: MeetingChange): Promise<MeetingRow> {
  await assertOwnProspect(tx, userId, change.prospect_id);
  const meeting = await lockMeeting(tx, userId, id);
  const old_values = toRow(meeting, meetingColumns);
  assertPlannedForOutcome(old_values, change);
  tx.em.assign(meeting, change);
  await tx.flush();
  tx.audit({
    event: 'meeting.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    old_values,
    new_values: change,
  });
  return toRow(meeting, meetingColumns);
}

/** Deletes a meeting. @throws Problem `resource.not-found`. */
export async function deleteMeeting(tx: Tx, userId: string, id: number): Promise<void> {
  const meeting = await lockMeeting(tx, userId, id);
  const old_values = toRow(meeting, meetingColumns);
  tx.em.remove(meeting);
  tx.audit({ event: 'meeting.delete', action: 'delete', resource_type, resource_id: String(id), old_values });
}

/** Creates a planned meeting by a template or another meeting. @throws Problem `resource.not-found`. */
export async function planMeeting(
  tx: Tx,
  userId: string,
  id: number,
  plan: Pick<MeetingRow, 'scheduled_at' | 'prospect_id'>,
): Promise<MeetingRow> {
  const template = await lockMeeting(tx, userId, id);
  return createMeeting(tx, userId, { ...toRow(template, templateColumns), ...plan, template_id: id });
}

/**
 * Creates pending activities for follow-up tasks, one for each line.
 *
 * @param now milliseconds since the epoch.
 * @throws Problem `request.invalid` for an empty line and one that is given twice; `resource.conflict` for one of which an activity
 *   was made already.
 */
export async function createFollowUps(
  tx: Tx,
  userId: string,
  id: number,
  tasks: readonly FollowUp[],
  now: number,
): Promise<ActivityRow[]> {
  const { follow_up_tasks, prospect_id } = toRow(await lockMeeting(tx, userId, id), ['follow_up_tasks', 'prospect_id']);
  const lines = (follow_up_tasks ?? '').split('\n').map((line) => line.trim());
  assertLinesWritten(tasks, lines);
  await assertLinesNew(tx, id, tasks);
  return logActivities(
    tx,
    userId,
    tasks.map(({ line, type, date }) => ({
      type,
      date,
      status: 'pending' as const,
      notes: lines[line - 1] ?? null,
      prospect_id,
      meeting_id: id,
      follow_up_line: line,
    })),
    now,
  );
}

type OutcomeFields = Pick<MeetingRow, 'scheduled_at' | 'outcome' | 'outcome_notes'>;

function assertPlannedForOutcome(before: OutcomeFields, change: Partial<OutcomeFields>): void {
  const { scheduled_at, outcome, outcome_notes } = { ...before, ...change };
  if (scheduled_at !== null || (outcome === null && outcome_notes === null)) return;
  const written = (['outcome', 'outcome_notes'] as const).filter((field) => change[field] != null);
  const errors = written.map((field) => ({ pointer: `/${field}`, detail: 'belongs to a planned meeting' }));
  throw new Problem({
    code: 'resource.conflict',
    detail: 'A template has no outcome: plan a meeting first.',
    errors: errors.length > 0 ? errors : [{ pointer: '/scheduled_at', detail: 'must stay: the meeting has an outcome' }],
  });
}

function assertLinesWritten(tasks: readonly FollowUp[], lines: readonly string[]): void {
  const errors = tasks.flatMap(({ line }, index) => {
    if ((lines[line - 1] ?? '') === '') return [lineIssue(index, 'is an empty line')];
    return tasks.findIndex((task) => task.line === line) < index ? [lineIssue(index, 'is given twice')] : [];
  });
  if (errors.length > 0) throw invalidInput(errors);
}

/** @throws Problem `resource.conflict` for the lines of which an activity was made already. */
async function assertLinesNew(tx: Tx, meetingId: number, tasks: readonly FollowUp[]): Promise<void> {
  const made = await tx.sql
    .selectFrom('admin_activities')
    .where('meeting_id', '=', meetingId)
    .where('follow_up_line', 'in', tasks.map(({ line }) => line))
    .select('follow_up_line')
    .execute();
  const known = new Set(made.map(({ follow_up_line }) => follow_up_line));
  const again = tasks.flatMap(({ line }, index) => (known.has(line) ? [{ line, index }] : []));
  if (again.length === 0) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: `There is an activity for the follow-up task of line ${again.map(({ line }) => line).join(', ')} already.`,
    errors: again.map(({ index }) => lineIssue(index, 'has an activity already')),
  });
}

function lineIssue(index: number, detail: string): ProblemIssue {
  return { pointer: `/tasks/${index}/line`, detail };
}
