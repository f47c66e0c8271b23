import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { fromNow, uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, NewRow, Row, Target } from './row-insertion.ts';

export function newGoal(columns: Given<'admin_goals', 'user_id'>): NewRow<'admin_goals'> {
  return { tenant_id: defaultTenantId, week_start: '2026-01-05', ...columns };
}

/** A week's goal without targets. */
export function createGoal(target: Target, columns: Given<'admin_goals', 'user_id'>): Promise<Row<'admin_goals'>> {
  return insertRow(target, 'admin_goals', newGoal(columns));
}

/** A call that was made. */
export function createActivity(
  target: Target,
  columns: Given<'admin_activities', 'user_id'>,
): Promise<Row<'admin_activities'>> {
  return insertRow(target, 'admin_activities', {
    tenant_id: defaultTenantId,
    type: 'call',
    status: 'done',
    date: '2026-01-05',
    ...columns,
  });
}

/** Two days off. */
export function createVacation(
  target: Target,
  columns: Given<'admin_tracker_vacations', 'user_id'>,
): Promise<Row<'admin_tracker_vacations'>> {
  return insertRow(target, 'admin_tracker_vacations', {
    tenant_id: defaultTenantId,
    starts_on: '2026-01-05',
    ends_on: '2026-01-06',
    ...columns,
  });
}

/** A session that runs since now. No workflow stands behind it. */
export function createFocusSession(
  target: Target,
  columns: Given<'admin_focus_sessions', 'user_id'>,
): Promise<Row<'admin_focus_sessions'>> {
  return insertRow(target, 'admin_focus_sessions', {
    tenant_id: defaultTenantId,
    start_time: fromNow(0),
    due_at: fromNow(50 * 60),
    ...columns,
  });
}

/** An unread reminder. */
export function createNudge(target: Target, columns: Given<'admin_nudges', 'user_id'>): Promise<Row<'admin_nudges'>> {
  return insertRow(target, 'admin_nudges', {
    tenant_id: defaultTenantId,
    type: 'reminder',
    message: 'Somebody waits for your call.',
    rule: 'follow-up-due',
    day: '2026-01-05',
    dedupe_key: uniqueName('nudge'),
    ...columns,
  });
}

/** A template of a demonstration. */
export function createMeeting(target: Target, columns: Given<'admin_meetings', 'user_id'>): Promise<Row<'admin_meetings'>> {
  return insertRow(target, 'admin_meetings', { tenant_id: defaultTenantId, title: 'A demo', type: 'demo', ...columns });
}

export function createPipeline(target: Target, columns: Columns<'admin_pipelines'> = {}): Promise<Row<'admin_pipelines'>> {
  return insertRow(target, 'admin_pipelines', { tenant_id: defaultTenantId, name: uniqueName('pipeline'), ...columns });
}

/** The first stage of a pipeline. */
export function createPipelineStage(
  target: Target,
  columns: Given<'admin_pipeline_stages', 'pipeline_id'>,
): Promise<Row<'admin_pipeline_stages'>> {
  return insertRow(target, 'admin_pipeline_stages', {
    tenant_id: defaultTenantId,
    name: uniqueName('stage'),
    position: 1,
    probability: 50,
    ...columns,
  });
}

/** An open prospect in a stage. */
export function createProspect(
  target: Target,
  columns: Given<'admin_prospects', 'user_id' | 'pipeline_id' | 'stage_id'>,
): Promise<Row<'admin_prospects'>> {
  return insertRow(target, 'admin_prospects', { tenant_id: defaultTenantId, name: 'Some Prospect', probability: 50, ...columns });
}
