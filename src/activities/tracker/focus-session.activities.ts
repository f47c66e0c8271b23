import { sql } from 'kysely';
import { actorInWorkflow, defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { endFocus, focusedMinutes, focusDueAt, focusState } from '../../domain/tracker/tracker-focus.ts';
import { focusClockOf, focusColumns, presentFocus } from '../../domain/tracker/tracker-focus-view.ts';
import type { FocusRow, FocusSessionView } from '../../domain/tracker/tracker-focus-view.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { focusSessionWorkflowId } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusSessionActivities, SaveFocusSession } from '../../workflows/tracker/focus-session.contract.ts';
import { focusSweepSchedule } from '../../workflows/tracker/focus-sweep.contract.ts';
import type { FocusSweepActivities, FocusSweepPage } from '../../workflows/tracker/focus-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { endedWorkflows } from '../../platform/temporal/ended-workflows.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/** Sessions of one page of the sweep. */
const pageSize = 100;

/** The hands of the focus session workflow and of the sweep; the only writer of the table. */
export function createFocusSessionActivities(deps: Deps): FocusSessionActivities & FocusSweepActivities {
  const { db } = deps;
  return {
    sweepFocusSessions: ({ after }) => asActivity(() => sweepPage(deps, after)),
    saveFocusSession: (input) =>
      asActivity(() => {
        const { tenant_id } = input.actor;
        const actor = actorInWorkflow(input.actor, focusSessionWorkflowId(tenant_id, input.session_id));
        return unitOfWork(db, actor, (tx) => (input.change === 'begin' ? begin(tx, input) : change(tx, input)));
      }),
  };
}

/**
 * Writes a new session. Run again after a commit that was never answered, it finds its own row.
 *
 * @throws Problem `focus.already-active` with the active session, when the database refuses a second one (S0-84).
 */
async function begin(tx: Tx, input: SaveFocusSession): Promise<FocusSessionView> {
  const { session_id, user_id, clock, notes } = input;
  const inserted = await tx.sql
    .insertInto('admin_focus_sessions')
    .values({
      id: session_id,
      tenant_id: tx.actor.tenant_id,
      user_id,
      start_time: new Date(clock.started_at).toISOString(),
      due_at: new Date(focusDueAt(clock)).toISOString(),
      duration_minutes: Math.ceil(clock.duration_ms / 60_000),
      notes,
    })
    // Whichever of the two keys is taken: the id by an earlier try of this activity, or the person by another session.
    .onConflict((conflict) => conflict.doNothing())
    .returning(focusColumns)
    .executeTakeFirst();
  if (inserted !== undefined) {
    audit(tx, input, null, inserted);
    return present(inserted);
  }
  const own = await findSession(tx, session_id);
  if (own !== undefined) return present(own);
  const active = await tx.sql
    .selectFrom('admin_focus_sessions')
    .where('user_id', '=', user_id)
    .where('end_time', 'is', null)
    .select(focusColumns)
    .execute();
  throw new Problem({
    code: 'focus.already-active',
    detail: 'Complete or interrupt the active session first.',
    // It may have ended in this very moment; then none is shown.
    members: { active: active.map(present).at(0) },
  });
}

/** Writes the clock of a session that has not ended; one that has stays as it is, and so does one that is there already. */
async function change(tx: Tx, input: SaveFocusSession): Promise<FocusSessionView> {
  const { session_id, clock, notes } = input;
  const before = await findSession(tx, session_id);
  if (before === undefined) throw new Problem({ code: 'resource.not-found', detail: 'There is no such focus session.' });
  const stored = focusClockOf(before);
  const isWritten = stored.paused_at === clock.paused_at && stored.paused_ms === clock.paused_ms && clock.ending === null;
  if (stored.ending !== null || isWritten) return present(before);
  const state = focusState(clock);
  const after = await tx.sql
    .updateTable('admin_focus_sessions')
    .set({
      due_at: new Date(focusDueAt(clock)).toISOString(),
      paused_at: clock.paused_at === null ? null : new Date(clock.paused_at).toISOString(),
      paused_ms: clock.paused_ms,
      end_time: clock.ended_at === null ? null : new Date(clock.ended_at).toISOString(),
      ending: clock.ending,
      completed: state === 'completed',
      interrupted: state === 'interrupted',
      actual_minutes: clock.ended_at === null ? null : focusedMinutes(clock, clock.ended_at),
      ...(notes === null ? {} : { notes }),
    })
    .where('id', '=', session_id)
    .returning(focusColumns)
    .executeTakeFirstOrThrow();
  audit(tx, input, before, after);
  return present(after);
}

async function findSession(tx: Tx, id: number): Promise<FocusRow | undefined> {
  return tx.sql.selectFrom('admin_focus_sessions').where('id', '=', id).select(focusColumns).forUpdate().executeTakeFirst();
}

interface OpenSession {
  readonly tenant_id: string;
  readonly session_id: number;
  readonly user_id: string;
}

async function sweepPage({ db, temporal }: Deps, after: number): Promise<FocusSweepPage> {
  const statement = sql<OpenSession>`select * from focus_sessions_open(${after}::int, ${pageSize}::int)`;
  const open = await read(db, systemActor(defaultTenantId), { compile: () => statement.compile(query) });
  const idOf = ({ tenant_id, session_id }: OpenSession) => focusSessionWorkflowId(tenant_id, session_id);
  const lost = await endedWorkflows(temporal, open.map(idOf));
  let ended = 0;
  for (const session of open.filter((one) => lost.has(idOf(one)))) {
    const actor = systemActor(session.tenant_id, { workflow_id: focusSweepSchedule.scheduleId });
    if (await unitOfWork(db, actor, (tx) => endAbandoned(tx, session))) ended += 1;
  }
  return { checked: open.length, ended, next: open.at(pageSize - 1)?.session_id ?? null };
}

/**
 * Ends a session whose workflow cannot do it any more: at the minute it was due where that has come, else as
 * interrupted. One that has ended meanwhile stays as it ended.
 */
async function endAbandoned(tx: Tx, { session_id, user_id }: OpenSession): Promise<boolean> {
  const row = await findSession(tx, session_id);
  if (row?.end_time !== null) return false;
  const clock = focusClockOf(row);
  const now = Date.now();
  const isDue = clock.paused_at === null && focusDueAt(clock) <= now;
  await change(tx, {
    actor: tx.actor,
    session_id,
    user_id,
    change: isDue ? 'expire' : 'interrupt',
    clock: endFocus(clock, isDue ? 'timer' : 'interrupted', now),
    notes: null,
  });
  return true;
}

function present(row: FocusRow): FocusSessionView {
  return presentFocus(row, Date.now());
}

function audit(tx: Tx, { change: kind, session_id }: SaveFocusSession, before: FocusRow | null, after: FocusRow): void {
  tx.audit({
    event: `focus_session.${kind}`,
    action: before === null ? 'create' : 'update',
    resource_type: 'focus_session',
    resource_id: String(session_id),
    ...(before === null ? {} : { old_values: stateOf(before) }),
    new_values: stateOf(after),
  });
}

function stateOf({ start_time, due_at, paused_at, end_time, ending, actual_minutes }: FocusRow) {
  return { start_time, due_at, paused_at, end_time, ending, actual_minutes };
}
