import { z } from 'zod';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
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

type Deps = Pick<ProcessDeps, 'temporal'>;

/** Starts the workflow of a rotation; one that runs already is left alone. */
export async function startRotation({ temporal }: Deps, ref: KeyRotationRef): Promise<void> {
  const { tenant_id, integration_id, rotation_id } = ref;
  await startOnce(temporal, keyRotationWorkflowType, keyRotationStartOptions({ tenant_id, integration_id, rotation_id }));
}

/** The result of the action `integration.rotate-key`. */
const requestedRotation = z.object({ rotation_id: z.uuid() });

/**
 * Starts the rotation that a committed `integration.rotate-key` has recorded; where that may have happened before, only
 * one that has not ended. The sweep starts every open rotation without a workflow within a minute.
 */
export async function startCommittedRotation(
  { db, temporal }: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, payload: { integration_id }, result, isRepetition }: CommittedChange<{ readonly integration_id: string }>,
): Promise<void> {
  const { rotation_id } = requestedRotation.parse(result);
  if (isRepetition && !(await isRotationOpen(db, actor, rotation_id))) return;
  await startRotation({ temporal }, { tenant_id: actor.tenant_id, integration_id, rotation_id });
}

/**
 * Aborts a rotation; returns as soon as it cannot switch any more.
 *
 * @throws Problem `integration.rotation-switched` when it is past its switch, 404 when its workflow does not run.
 */
export async function sendRotationAbort({ temporal }: Deps, ref: KeyRotationRef): Promise<void> {
  const workflowId = keyRotationWorkflowId(ref);
  await temporal.call((client) =>
    client.workflow
      .getHandle(workflowId)
      .executeUpdate(abortRotationUpdate, { args: [{ rotation_id: ref.rotation_id }] }),
  );
}

/** Has a rotation try its present step again at once. @throws Problem 404 when its workflow does not run. */
export async function sendRotationRetry({ temporal }: Deps, ref: Omit<KeyRotationRef, 'rotation_id'>): Promise<void> {
  await temporal.call((client) => client.workflow.getHandle(keyRotationWorkflowId(ref)).signal(retryRotationSignal));
}
