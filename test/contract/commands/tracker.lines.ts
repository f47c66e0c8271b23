import {
  createActivity,
  createGoal,
  createMeeting,
  createNudge,
  createPipeline,
  createPipelineStage,
  createProspect,
  createVacation,
} from '../../support/factories/tracker.ts';
import { fromNow, hour, uniqueName } from '../../support/factories/defaults.ts';
import { byWorkflow, ifMatch, inTransaction } from './command-line.ts';
import type { Command, CommandLine, Example } from './command-line.ts';
import type { CommandStage, Person } from './stage.ts';

const base = '/api/v1/master-admin';
const stages = [{ name: 'Lead', probability: 10 }, { name: 'Offer', probability: 60 }];
const activity = { type: 'call', status: 'pending', date: '2026-01-05', notes: 'a call' };
const meeting = { title: 'Demo', type: 'demo', follow_up_tasks: 'Write to them\nCall them' };

/** A line on a row of a person of its own. */
function own(operationId: string, make: (stage: CommandStage, person: Person) => Promise<Example>): Command {
  return inTransaction(operationId, async (stage) => {
    const person = await stage.person();
    return { person, ...(await make(stage, person)) };
  });
}

/** The lines of PUT and PATCH, which do the same. */
function ownChange(name: string, make: (stage: CommandStage, person: Person) => Promise<Example>): Command[] {
  return [own(`update${name}`, make), own(`patch${name}`, make)];
}

async function stageOf({ db }: CommandStage) {
  const pipeline = await createPipeline(db);
  const first = await createPipelineStage(db, { pipeline_id: pipeline.id });
  const next = await createPipelineStage(db, { pipeline_id: pipeline.id, position: 2 });
  return { pipeline, first, next };
}

async function prospectOf(stage: CommandStage, user_id: string) {
  const { pipeline, first, next } = await stageOf(stage);
  const prospect = await createProspect(stage.db, { user_id, pipeline_id: pipeline.id, stage_id: first.id });
  return { path: `${base}/prospects/${prospect.id}`, next };
}

/** A focus session that runs, with its workflow. */
async function sessionOf(stage: CommandStage, verb: string): Promise<Example> {
  const person = await stage.person();
  const { body } = await stage.done(person, 'POST', `${base}/focus-sessions`, { body: { duration_minutes: 50 } });
  const path = `${base}/focus-sessions/${body.id}`;
  if (verb === 'resume') await stage.done(person, 'PUT', `${path}/pause`, { body: {} });
  return { person, path: `${path}/${verb}`, body: { notes: 'so far' } };
}

export const trackerLines: readonly CommandLine[] = [
  own('createActivity', async () => ({ path: `${base}/activities`, body: activity })),
  ...ownChange('Activity', async ({ db }, { user_id }) => {
    const { id } = await createActivity(db, { user_id });
    return { path: `${base}/activities/${id}`, body: { notes: 'changed' } };
  }),
  own('deleteActivity', async ({ db }, { user_id }) => {
    const { id } = await createActivity(db, { user_id });
    return { path: `${base}/activities/${id}` };
  }),
  own('createGoal', async () => {
    const body = { week_start: '2026-01-07', target_calls: 3 };
    return { path: `${base}/goals?normalize=monday`, body, other: { path: `${base}/goals` } };
  }),
  ...ownChange('Goal', async ({ db }, { user_id }) => {
    const { id } = await createGoal(db, { user_id });
    return { path: `${base}/goals/${id}`, body: { target_calls: 7 }, other: { body: { target_calls: 8 } } };
  }),
  own('deleteGoal', async ({ db }, { user_id }) => {
    const { id } = await createGoal(db, { user_id });
    return { path: `${base}/goals/${id}` };
  }),
  ...ownChange('TrackerSettings', async () => {
    return { path: `${base}/settings`, body: { daily_nudge_cap: 7 }, other: { body: { daily_nudge_cap: 8 } } };
  }),
  own('createTrackerVacation', async () => {
    const body = { starts_on: '2026-03-02', ends_on: '2026-03-06' };
    return { path: `${base}/vacations`, body, other: { body: { ...body, ends_on: '2026-03-07' } } };
  }),
  own('deleteTrackerVacation', async ({ db }, { user_id }) => {
    const { id } = await createVacation(db, { user_id });
    return { path: `${base}/vacations/${id}` };
  }),
  byWorkflow('startFocusSession', async (stage) => {
    return { person: await stage.person(), path: `${base}/focus-sessions`, body: { duration_minutes: 50, notes: 'quiet' } };
  }),
  byWorkflow('completeFocusSession', (stage) => sessionOf(stage, 'complete')),
  byWorkflow('interruptFocusSession', (stage) => sessionOf(stage, 'interrupt')),
  byWorkflow('pauseFocusSession', (stage) => sessionOf(stage, 'pause')),
  byWorkflow('resumeFocusSession', (stage) => sessionOf(stage, 'resume')),
  own('createMeeting', async () => ({ path: `${base}/meetings`, body: meeting })),
  ...ownChange('Meeting', async ({ db }, { user_id }) => {
    const { id } = await createMeeting(db, { user_id });
    return { path: `${base}/meetings/${id}`, body: { title: 'Another demo' } };
  }),
  own('deleteMeeting', async ({ db }, { user_id }) => {
    const { id } = await createMeeting(db, { user_id });
    return { path: `${base}/meetings/${id}` };
  }),
  own('planMeeting', async ({ db }, { user_id }) => {
    const { id } = await createMeeting(db, { user_id });
    const at = (seconds: number) => ({ scheduled_at: fromNow(seconds) });
    return { path: `${base}/meetings/${id}/plan`, body: at(hour), other: { body: at(2 * hour) } };
  }),
  own('createMeetingFollowUps', async ({ db }, { user_id }) => {
    const { id } = await createMeeting(db, { user_id, follow_up_tasks: meeting.follow_up_tasks });
    const tasks = (line: number) => ({ tasks: [{ line, type: 'email', date: '2026-01-06' }] });
    return { path: `${base}/meetings/${id}/follow-ups`, body: tasks(1), other: { body: tasks(2) } };
  }),
  own('createPipeline', async () => ({ path: `${base}/pipelines`, body: { name: uniqueName('pipeline'), stages } })),
  ...ownChange('Pipeline', async (stage) => {
    const { pipeline } = await stageOf(stage);
    return { path: `${base}/pipelines/${pipeline.id}`, body: { name: uniqueName('pipeline') } };
  }),
  own('deletePipeline', async (stage) => {
    const { pipeline } = await stageOf(stage);
    return { path: `${base}/pipelines/${pipeline.id}` };
  }),
  own('createPipelineStage', async (stage) => {
    const { pipeline } = await stageOf(stage);
    return { path: `${base}/pipelines/${pipeline.id}/stages`, body: { name: uniqueName('stage'), probability: 90 } };
  }),
  ...ownChange('PipelineStage', async (stage) => {
    const { pipeline, next } = await stageOf(stage);
    return { path: `${base}/pipelines/${pipeline.id}/stages/${next.id}`, body: { name: uniqueName('stage') } };
  }),
  own('deletePipelineStage', async (stage) => {
    const { pipeline, next } = await stageOf(stage);
    return { path: `${base}/pipelines/${pipeline.id}/stages/${next.id}` };
  }),
  { operationId: 'importProspects', kind: 'none', reason: 'it streams an upload, whose fingerprint is not known before its end' },
  own('createProspect', async (stage) => {
    const { first } = await stageOf(stage);
    return { path: `${base}/prospects`, body: { name: 'New Prospect', stage_id: first.id } };
  }),
  ...ownChange('Prospect', async (stage, { user_id }) => {
    const { path } = await prospectOf(stage, user_id);
    return { path, body: { name: 'Renamed' } };
  }),
  own('deleteProspect', async (stage, { user_id }) => {
    const { path } = await prospectOf(stage, user_id);
    return { path };
  }),
  own('moveProspect', async (stage, { user_id }) => {
    const { path, next } = await prospectOf(stage, user_id);
    const other = { body: { status: 'won' } };
    return { path: `${path}/move`, body: { stage_id: next.id }, headers: ifMatch(1), other };
  }),
  byWorkflow('generateNudges', async (stage) => {
    const person = await stage.person();
    const { user_id } = person;
    // At some hour of each day it is night where the person lives, and only urgent nudges are made.
    await stage.done(person, 'PUT', `${base}/settings`, { body: { quiet_from_minute: 0, quiet_to_minute: 0 } });
    await createActivity(stage.db, { user_id, status: 'pending', date: '2026-01-05' });
    const { path } = await prospectOf(stage, user_id);
    await stage.done(person, 'PATCH', path, { body: { next_activity_at: '2026-01-05T09:00:00Z' } });
    const made = stage.db.selectFrom('admin_nudges').select('id').where('user_id', '=', user_id);
    return { person, path: `${base}/nudges/generate`, effects: async () => (await made.execute()).length };
  }),
  own('readNudge', async ({ db }, { user_id }) => {
    const { id } = await createNudge(db, { user_id });
    return { path: `${base}/nudges/${id}/read` };
  }),
  own('snoozeNudge', async ({ db }, { user_id }) => {
    const { id } = await createNudge(db, { user_id });
    return { path: `${base}/nudges/${id}/snooze`, body: { minutes: 10 }, other: { body: { minutes: 20 } } };
  }),
  own('deleteNudge', async ({ db }, { user_id }) => {
    const { id } = await createNudge(db, { user_id });
    return { path: `${base}/nudges/${id}` };
  }),
];
