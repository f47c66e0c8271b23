import { changeFocus, endFocus, focusDueAt, focusedMinutes, focusState } from '../../domain/tracker/tracker-focus.ts';
import { focusClockOf, presentFocus } from '../../domain/tracker/tracker-focus-session.ts';
import type { FocusClock } from '../../domain/tracker/tracker-focus.ts';
import type { FocusRow, FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { FocusChange, SaveFocusSession } from '../../workflows/tracker/focus-session.contract.ts';
import { focusColumns } from './focus-session.queries.ts';
import type { OpenFocusSession } from './focus-session.queries.ts';

/**
 * Saves what the workflow of a session has decided; this file is the only writer of the table. Repeated after a commit
 * whose answer was lost, it changes nothing and answers the row.
 *
 * @throws Problem `focus.already-active` with the active session, when the database refuses a second one (S0-84).
 */
export function saveFocusSession(tx: Tx, input: SaveFocusSession): Promise<FocusSessionView> {
  return input.change === 'begin' ? insertSession(tx, input) : updateSession(tx, input);
}

/**
 * Ends a session whose workflow can no longer do it: completed at its due time where that has passed, else interrupted
 * now.
 *
 * @returns false for a session that has ended meanwhile; it is left alone.
 */
export async function endAbandonedSession(tx: Tx, { session_id, user_id }: OpenFocusSession): Promise<boolean> {
  const row = await lockSession(tx, session_id);
  if (row?.end_time !== null) return false;
  const clock = focusClockOf(row);
  const now = Date.now();
  const isDue = clock.paused_at === null && focusDueAt(clock) <= now;
  await updateSession(tx, {
    actor: tx.actor,
    session_id,
    user_id,
    change: isDue ? 'expire' : 'interrupt',
    clock: endFocus(clock, isDue ? 'timer' : 'interrupted', now),
    at: now,
    notes: null,
  });
  return true;
}

/** The problem of a second session. @param active the first one; it may have ended meanwhile. */
export function alreadyActive(active: FocusSessionView | undefined): Problem {
  return new Problem({
    code: 'focus.already-active',
    detail: 'Complete or interrupt the active session first.',
    members: { active },
  });
}

async function insertSession(tx: Tx, input: SaveFocusSession): Promise<FocusSessionView> {
  const { session_id, command_id = null, user_id, clock, notes } = input;
  const inserted = await tx.sql
    .insertInto('admin_focus_sessions')
    .values({
      ...(session_id === null ? {} : { id: session_id }),
      command_id,
      tenant_id: tx.actor.tenant_id,
      user_id,
      start_time: new Date(clock.started_at).toISOString(),
      due_at: new Date(focusDueAt(clock)).toISOString(),
      duration_minutes: Math.ceil(clock.duration_ms / 60_000),
      notes,
    })
    // Either key may be taken: the id of an earlier release's attempt, or the person by another session.
    .onConflict((conflict) => conflict.doNothing())
    .returning(focusColumns)
    .executeTakeFirst();
  if (inserted !== undefined) {
    audit(tx, input.change, null, inserted);
    return present(inserted);
  }
  const own = session_id === null ? undefined : await lockSession(tx, session_id);
  if (own !== undefined) return present(own);
  const active = await tx.sql
    .selectFrom('admin_focus_sessions')
    .where('user_id', '=', user_id)
    .where('end_time', 'is', null)
    .select(focusColumns)
    .execute();
  throw alreadyActive(active.map(present).at(0));
}

/** The session as it is stored. @throws Problem `resource.not-found` */
export async function readSession(tx: Tx, session_id: number | null): Promise<FocusSessionView> {
  const row = session_id === null ? undefined : await lockSession(tx, session_id);
  if (row === undefined) throw notFound('focus session');
  return present(row);
}

/**
 * Changes a session. One that has ended stays as it is, and so does one that is in the state already: a workflow task that is
 * done again may judge the messages in another order, on a clock that is behind the row.
 */
async function updateSession(tx: Tx, input: SaveFocusSession): Promise<FocusSessionView> {
  const { session_id, notes } = input;
  const before = session_id === null ? undefined : await lockSession(tx, session_id);
  if (session_id === null || before === undefined) throw notFound('focus session');
  const stored = focusClockOf(before);
  const clock = clockAfter(stored, input);
  if (clock === stored) return present(before);
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
  audit(tx, input.change, before, after);
  return present(after);
}

/**
 * The stored clock after a change, or the same object where the change is pointless. It is the stored clock that changes: the
 * workflow's may not know of a pause whose update was lost, and its timer must not end a session that is paused, or not due.
 */
function clockAfter(stored: FocusClock, { change, clock, at }: SaveFocusSession): FocusClock {
  const isPaused = stored.paused_at !== null;
  const isThere = (change === 'pause' && isPaused) || (change === 'resume' && !isPaused);
  if (stored.ending !== null || isThere) return stored;
  // Sent by an earlier release, which computed the clock itself.
  if (at === undefined || change === 'begin') return clock;
  const isOfAnotherState = change === 'expire' && isPaused !== (clock.ending === 'pause_limit');
  const isEarly = change === 'expire' && !isPaused && focusDueAt(stored) > at;
  return isOfAnotherState || isEarly ? stored : changeFocus(stored, change, at);
}

function lockSession(tx: Tx, id: number): Promise<FocusRow | undefined> {
  return tx.sql
    .selectFrom('admin_focus_sessions')
    .where('id', '=', id)
    .select(focusColumns)
    .forUpdate()
    .executeTakeFirst();
}

function present(row: FocusRow): FocusSessionView {
  return presentFocus(row, Date.now());
}

function audit(tx: Tx, change: FocusChange, before: FocusRow | null, after: FocusRow): void {
  tx.audit({
    event: `focus_session.${change}`,
    action: before === null ? 'create' : 'update',
    resource_type: 'focus_session',
    resource_id: String(after.id),
    ...(before === null ? {} : { old_values: auditedValues(before) }),
    new_values: auditedValues(after),
  });
}

function auditedValues({ start_time, due_at, paused_at, end_time, ending, actual_minutes }: FocusRow) {
  return { start_time, due_at, paused_at, end_time, ending, actual_minutes };
}
