import { WithStartWorkflowOperation } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { FocusSessionView } from '../../domain/tracker/tracker-focus-session.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { endedWorkflows } from '../../platform/temporal/ended-workflows.ts';
import {
  beginUpdate,
  completeUpdate,
  focusSessionStartOptions,
  focusSessionWorkflowId,
  focusSessionWorkflowType,
  interruptUpdate,
  pauseUpdate,
  refreshSignal,
  remainingQuery,
  resumeUpdate,
} from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusMessage, FocusRemaining, FocusSessionInput } from '../../workflows/tracker/focus-session.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** What the owner of a session can do with it. */
export type FocusCommand = keyof typeof updates;

const updates = { complete: completeUpdate, interrupt: interruptUpdate, pause: pauseUpdate, resume: resumeUpdate };

/** Names a session and so its workflow. */
interface FocusSessionKey {
  readonly tenant_id: string;
  readonly session_id: number;
  readonly command_id?: string | null | undefined;
}

function workflowIdOf({ tenant_id, session_id, command_id }: FocusSessionKey): string {
  return focusSessionWorkflowId(tenant_id, command_id ?? session_id);
}

/**
 * Starts the workflow of a session and waits until its row is committed: one call for both.
 *
 * @throws Problem `focus.already-active` when another session of the person is active when the row is inserted.
 */
export function startFocusSession(
  { temporal }: Deps,
  input: Omit<FocusSessionInput, 'command_id'>,
  { command_id, waits_until }: WorkflowCommand,
): Promise<FocusSessionView> {
  return temporal.call(
    (client) =>
      client.workflow.executeUpdateWithStart(beginUpdate, {
        updateId: command_id,
        startWorkflowOperation: new WithStartWorkflowOperation(focusSessionWorkflowType, {
          ...focusSessionStartOptions({ ...input, command_id }),
          taskQueue: temporal.taskQueue,
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      }),
    waits_until,
  );
}

/**
 * Sends a command of the owner to the timer of a session.
 *
 * @returns the session as it was committed.
 * @throws Problem `focus.ended` from the workflow; `resource.not-found` when the workflow has ended.
 */
export function sendFocusCommand(
  { temporal }: Deps,
  session: FocusSessionKey,
  verb: FocusCommand,
  message: FocusMessage,
  { command_id, waits_until }: WorkflowCommand,
): Promise<FocusSessionView> {
  const args: [FocusMessage] = [{ ...message, command_id }];
  return temporal.call(
    (client) => client.workflow.getHandle(workflowIdOf(session)).executeUpdate(updates[verb], { args, updateId: command_id }),
    waits_until,
  );
}

/**
 * Has a session's workflow read its row again.
 *
 * @param key what names the workflow.
 * @throws Problem `resource.not-found` when it has ended.
 */
export function refreshFocusSession({ temporal }: Deps, tenantId: string, key: string): Promise<void> {
  return temporal.call((client) => client.workflow.getHandle(focusSessionWorkflowId(tenantId, key)).signal(refreshSignal));
}

/** How long the timer of a session is waited for; a worker answers in a few milliseconds. */
const timerWaitMs = 2_000;

/**
 * What is left of a session, as its timer counts.
 *
 * @throws Problem `service.unavailable` when nobody answers within two seconds; `resource.not-found` when there is no such workflow.
 */
export function queryFocusRemaining({ temporal }: Deps, session: FocusSessionKey): Promise<FocusRemaining> {
  const query = (client: Client) => client.workflow.getHandle(workflowIdOf(session)).query(remainingQuery);
  return temporal.call(query, Date.now() + timerWaitMs);
}

/**
 * The sessions whose workflow has ended or was never there, so that nothing will end the row.
 *
 * @throws Problem `service.unavailable` when Temporal cannot be asked.
 */
export async function abandonedFocusSessions<Session extends FocusSessionKey>(
  { temporal }: Deps,
  sessions: readonly Session[],
): Promise<Session[]> {
  const ended = await endedWorkflows(temporal, sessions.map(workflowIdOf));
  return sessions.filter((session) => ended.has(workflowIdOf(session)));
}
