import { actorRef, defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { presentFocus } from '../../domain/tracker/tracker-focus-session.ts';
import type { FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { defaultMaxPauseSeconds } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusRemaining } from '../../workflows/tracker/focus-session.contract.ts';
import { focusSweepSchedule } from '../../workflows/tracker/focus-sweep.contract.ts';
import type { FocusSweepPage } from '../../workflows/tracker/focus-sweep.contract.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import {
  abandonedFocusSessions,
  queryFocusRemaining,
  sendFocusCommand,
  startFocusSession,
} from './focus-session.client.ts';
import type { FocusCommand } from './focus-session.client.ts';
import {
  activeFocusSessionQuery,
  focusSessionsQuery,
  openFocusSessionsQuery,
} from './focus-session.queries.ts';
import { alreadyActive, endAbandonedSession } from './focus-session.repository.ts';
import type { Person } from './tracker-profile.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal' | 'now'>;

/** The session of a person that runs or is paused, or null. */
export async function findActiveFocusSession(
  { db, now }: Pick<Deps, 'db' | 'now'>,
  owner: Person,
): Promise<FocusSessionView | null> {
  const [row] = await read(db, owner, activeFocusSessionQuery(owner.user_id));
  return row === undefined ? null : presentFocus(row, now());
}

/** @throws Problem `resource.not-found` when the person has no such session. */
export async function loadFocusSession(
  { db, now }: Pick<Deps, 'db' | 'now'>,
  owner: Person,
  id: number,
): Promise<FocusSessionView> {
  const [row] = await read(db, owner, focusSessionsQuery(owner.user_id).where('id', '=', id));
  if (row === undefined) throw notFound('focus session');
  return presentFocus(row, now());
}

/**
 * What is left of a session. Its workflow says when the timer ends; what is left until then is computed here, because the clock
 * of a workflow stands still between its tasks (S0-49). While no timer answers, its row says the same: it has every pause.
 *
 * @throws Problem `resource.not-found` when the person has no such session.
 */
export async function loadFocusRemaining(deps: Deps, owner: Person, id: number): Promise<FocusRemaining> {
  const session = await loadFocusSession(deps, owner, id);
  if (session.end_time !== null) return { state: session.state, remaining_seconds: 0, ends_at: null };
  const key = { tenant_id: owner.tenant_id, session_id: id, command_id: session.command_id };
  const timer = await queryFocusRemaining(deps, key).catch((error: unknown) => {
    if (error instanceof Problem && (error.code === 'service.unavailable' || error.code === 'resource.not-found')) {
      return remainingOfRow(session);
    }
    throw error;
  });
  if (timer.ends_at === null) return timer;
  const leftMs = Math.max(Date.parse(timer.ends_at) - deps.now(), 0);
  return { ...timer, remaining_seconds: Math.ceil(leftMs / 1000) };
}

function remainingOfRow({ state, remaining_seconds, due_at }: FocusSessionView): FocusRemaining {
  return { state, remaining_seconds, ends_at: state === 'running' ? due_at : null };
}

/** A session as it is asked for. */
interface NewFocusSession {
  readonly duration_minutes: number;
  readonly notes: string | null;
}

/**
 * Begins a session of a person.
 *
 * @returns the committed session; its timer runs.
 * @throws Problem `focus.already-active` with the active session.
 */
export async function beginFocusSession(
  deps: Deps,
  owner: Person,
  { duration_minutes, notes }: NewFocusSession,
  command: WorkflowCommand,
): Promise<FocusSessionView> {
  const active = await findActiveFocusSession(deps, owner);
  if (active !== null) throw alreadyActive(active);
  const input = {
    actor: { ...actorRef(owner), user_id: owner.user_id },
    duration_seconds: duration_minutes * 60,
    max_pause_seconds: defaultMaxPauseSeconds,
    notes,
  };
  return startFocusSession(deps, input, command);
}

/**
 * Completes, interrupts, pauses or resumes a session of a person. Repeating the command that ended the session is no
 * error and answers it as it ended.
 *
 * @param notes replace those of the session unless they are null.
 * @throws Problem `focus.ended` when the session has ended in another way; `resource.not-found`.
 */
export async function commandFocusSession(
  deps: Deps,
  owner: Person,
  { id, verb, notes }: { readonly id: number; readonly verb: FocusCommand; readonly notes: string | null },
  command: WorkflowCommand,
): Promise<FocusSessionView> {
  const before = await loadFocusSession(deps, owner, id);
  if (before.end_time !== null) return answerEnded(before, verb);
  const key = { tenant_id: owner.tenant_id, session_id: id, command_id: before.command_id };
  try {
    const session = await sendFocusCommand(deps, key, verb, { actor: actorRef(owner), notes }, command);
    forgetRefresh(deps, owner.tenant_id, command.command_id);
    return session;
  } catch (error) {
    // Another error proves nothing; what became of the command is found out by its row.
    if (!(error instanceof Problem) || error.code !== 'resource.not-found') throw error;
    // The timer may have ended the session, and its workflow, since it was read.
    const now = await loadFocusSession(deps, owner, id);
    if (now.end_time === null) throw error;
    return answerEnded(now, verb);
  }
}

function answerEnded(session: FocusSessionView, command: FocusCommand): FocusSessionView {
  const isRepeated = (command === 'complete' && session.completed) || (command === 'interrupt' && session.interrupted);
  if (isRepeated) return session;
  throw new Problem({ code: 'focus.ended', detail: 'The session has ended already.', members: { session } });
}

/** Sessions of one page of the sweep. */
const sweepPageSize = 100;

/** Compares a page of open sessions with their workflows and ends those that no workflow will end. */
export async function sweepFocusSessions(
  { db, temporal }: Pick<Deps, 'db' | 'temporal'>,
  after: number,
): Promise<FocusSweepPage> {
  const open = await read(db, systemActor(defaultTenantId), openFocusSessionsQuery(after, sweepPageSize));
  let ended = 0;
  for (const session of await abandonedFocusSessions({ temporal }, open)) {
    const actor = systemActor(session.tenant_id, { workflow_id: focusSweepSchedule.scheduleId });
    if (await unitOfWork(db, actor, (tx) => endAbandonedSession(tx, session))) ended += 1;
  }
  return { checked: open.length, ended, next: open.at(sweepPageSize - 1)?.session_id ?? null };
}
