import type { ActorRef } from '../../domain/shared/actor.ts';
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
import { approvedRotations } from './key-rotation.queries.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/** Starts the workflow of a rotation; one that runs already is left alone. */
export async function startRotation({ temporal }: Deps, ref: KeyRotationRef): Promise<void> {
  const { tenant_id, integration_id, rotation_id } = ref;
  await startOnce(temporal, keyRotationWorkflowType, keyRotationStartOptions({ tenant_id, integration_id, rotation_id }));
}

/**
 * {@link startRotation} for a caller whose row is committed and whose answer does not depend on the start: a failure is
 * logged only, because the sweep starts every rotation without a workflow within a minute.
 */
export async function tryStartRotation(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  ref: KeyRotationRef,
): Promise<void> {
  try {
    await startRotation({ temporal }, ref);
  } catch (error) {
    log.warn({ err: error, rotation_id: ref.rotation_id }, 'a key rotation could not be started; the sweep will');
  }
}

/**
 * Starts the rotations that an approved `integration.rotate-key` has recorded. Repeating it starts nothing twice, and what
 * is lost in between is started by the sweep.
 */
export async function startApprovedRotations(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  for (const rotation of await approvedRotations(deps.db, actor, approvalId)) await startRotation(deps, rotation);
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
