import { z } from 'zod';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import {
  abortRotationUpdate,
  keyRotationStartOptions,
  keyRotationWorkflowId,
  keyRotationWorkflowType,
  retryRotationSignal,
} from '../../workflows/integration/key-rotation.contract.ts';
import type { KeyRotationRef } from '../../workflows/integration/key-rotation.contract.ts';
import type { CommittedChange } from '../actions/action.ts';
import { isRotationOpen } from './key-rotation.queries.ts';
import { uuid } from '../../platform/value-schemas.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** Starts the workflow of a rotation; one that runs already is left alone. */
export async function startRotation({ temporal }: Deps, ref: KeyRotationRef): Promise<void> {
  const { tenant_id, integration_id, rotation_id } = ref;
  await startOnce(temporal, keyRotationWorkflowType, keyRotationStartOptions({ tenant_id, integration_id, rotation_id }));
}

/** The result of `integration.rotate-key`. */
const begunRotation = z.object({ rotation_id: uuid });

/**
 * Starts the rotation that a committed `integration.rotate-key` has recorded. A repetition starts only a rotation that has
 * not ended. A start that is lost is made up for by the sweep.
 */
export async function startCommittedRotation(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, payload, result, isRepetition }: CommittedChange<{ readonly integration_id: string }>,
): Promise<void> {
  const { rotation_id } = begunRotation.parse(result);
  if (isRepetition && !(await isRotationOpen(deps.db, actor, rotation_id))) return;
  await startRotation(deps, { tenant_id: actor.tenant_id, integration_id: payload.integration_id, rotation_id });
}

/**
 * Aborts a rotation; returns as soon as it cannot switch any more.
 *
 * @throws Problem `integration.rotation-switched` when it is past its switch, 404 when its workflow does not run.
 */
export async function sendRotationAbort(
  { temporal }: Deps,
  ref: KeyRotationRef,
  { command_id, waits_until }: WorkflowCommand,
): Promise<void> {
  const workflowId = keyRotationWorkflowId(ref);
  const args: [{ rotation_id: string; command_id: string }] = [{ rotation_id: ref.rotation_id, command_id }];
  await temporal.call(
    (client) => client.workflow.getHandle(workflowId).executeUpdate(abortRotationUpdate, { args, updateId: command_id }),
    waits_until,
  );
}

/** Has a rotation try its present step again at once. @throws Problem 404 when its workflow does not run. */
export async function sendRotationRetry({ temporal }: Deps, ref: Omit<KeyRotationRef, 'rotation_id'>): Promise<void> {
  await temporal.call((client) => client.workflow.getHandle(keyRotationWorkflowId(ref)).signal(retryRotationSignal));
}
