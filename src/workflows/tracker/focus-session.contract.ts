import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { FocusClock, FocusState, FocusTransition } from '../../domain/tracker/tracker-focus.ts';
import type { FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import { searchAttributes } from '../shared/search-attributes.ts';
import { workflowTaskTimeout } from '../shared/task-timeout.ts';

/** Name under which the workflow is registered. */
export const focusSessionWorkflowType = 'focusSessionWorkflow';

/** Planned length when none is asked for (S0-57). */
export const defaultFocusMinutes = 50;
/** A session that is paused for longer counts as forgotten and ends as interrupted. */
export const defaultMaxPauseSeconds = 12 * 3600;

/** Input of the workflow; the lengths of its timers are part of it. */
export interface FocusSessionInput {
  actor: ActorRef & { user_id: string };
  /** The command that begins the session (ADR 23) and names its workflow. Earlier releases had `session_id` instead. */
  command_id?: string;
  session_id?: number;
  duration_seconds: number;
  max_pause_seconds: number;
  notes: string | null;
}

/** A command of the session's owner. */
export interface FocusMessage {
  actor: ActorRef;
  /** Replaces the notes when it is not null. */
  notes: string | null;
  /** The command to be carried out; missing for what the timer does. */
  command_id?: string;
}

/** What changes a session. `begin` inserts its row. */
export type FocusChange = 'begin' | FocusTransition;

/** A change to save, with who made it, and the clock as the workflow has it after the change. */
export interface SaveFocusSession extends FocusMessage {
  /** Null before the row is inserted. */
  session_id: number | null;
  /** What names the workflow. */
  workflow_key?: string | number;
  user_id: string;
  change: FocusChange;
  clock: FocusClock;
  /** When it was made, milliseconds since the epoch; missing in what earlier releases sent. */
  at?: number;
}

/** Which session a workflow asks about, and the actor. */
export interface FocusSessionRef {
  actor: ActorRef;
  /** What names the workflow. */
  workflow_key: string | number;
  session_id: number | null;
}

/** What is left of a session. */
export interface FocusRemaining {
  state: FocusState;
  /** While it runs, the workflow's own figure is as old as its last task: `ends_at` is what counts. */
  remaining_seconds: number;
  /** RFC 3339; null unless it runs. */
  ends_at: string | null;
}

/** How the workflow ended: `refused` when another session of the person was active. */
export interface FocusOutcome {
  session_id: number | null;
  state: FocusState | 'refused';
}

/** Activities used by this workflow. */
export interface FocusSessionActivities {
  saveFocusSession(input: SaveFocusSession): Promise<FocusSessionView>;
  /** The session as it is stored. */
  readFocusSession(input: FocusSessionRef): Promise<FocusSessionView>;
}

/** Answers with the committed row; sent with the start. */
export const beginUpdate = defineUpdate<FocusSessionView>('begin');
export const completeUpdate = defineUpdate<FocusSessionView, [FocusMessage]>('complete');
export const interruptUpdate = defineUpdate<FocusSessionView, [FocusMessage]>('interrupt');
export const pauseUpdate = defineUpdate<FocusSessionView, [FocusMessage]>('pause');
export const resumeUpdate = defineUpdate<FocusSessionView, [FocusMessage]>('resume');
/** A command has changed the row, and its update may have been lost before the workflow knew. */
export const refreshSignal = defineSignal('refresh');
export const remainingQuery = defineQuery<FocusRemaining>('remaining');

/**
 * Id of a session's workflow.
 *
 * @param key the command that began the session; its number for one from before commands. Numbers of a database that is
 *   restored come again while their workflows still run (T-49).
 */
export function focusSessionWorkflowId(tenantId: string, key: string | number): string {
  return `focus/${tenantId}/${key}`;
}

/** Start options but for the task queue. What operators read names the person by id, never by name. */
export function focusSessionStartOptions(input: FocusSessionInput) {
  const { tenant_id, user_id } = input.actor;
  const key = input.command_id ?? input.session_id ?? '';
  const minutes = Math.ceil(input.duration_seconds / 60);
  return {
    workflowId: focusSessionWorkflowId(tenant_id, key),
    args: [input] as [FocusSessionInput],
    workflowTaskTimeout,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.tenantId, value: tenant_id },
      { key: searchAttributes.requestedBy, value: user_id },
      { key: searchAttributes.focusState, value: 'running' satisfies FocusState },
    ]),
    staticSummary: `Focus session of user ${user_id}`,
    staticDetails: `Focus session of user \`${user_id}\`, planned for ${minutes} minutes.`,
  };
}
