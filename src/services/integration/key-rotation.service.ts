import { isBeforeSwitch, isEndedRotation } from '../../domain/integration/key-rotation.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { forgetRefresh } from '../commands/workflow-start.repository.ts';
import { tellAfterCommit } from '../commands/workflow-start.service.ts';
import { findRotation } from './key-rotation.queries.ts';
import { sendRotationAbort } from './key-rotation.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

interface RotationId {
  readonly integration_id: string;
  readonly rotation_id: string;
}

/**
 * Aborts a rotation before its switch; the key that was made for it is revoked afterwards.
 *
 * @throws Problem 404, `integration.rotation-switched`, or `service.unavailable` when Temporal is unavailable.
 */
export async function abortRotation(deps: Deps, actor: Actor, id: RotationId, command: WorkflowCommand): Promise<void> {
  const { status } = await findRotation(deps.db, actor, id);
  if (!isBeforeSwitch(status)) throw pastSwitch(status);
  await sendRotationAbort(deps, { tenant_id: actor.tenant_id, ...id }, command);
  forgetRefresh(deps, actor.tenant_id, command.command_id);
}

/**
 * Has the present step of a rotation tried again at once. Its workflow is told after the commit, as soon as it can be reached.
 *
 * @throws Problem 404, `resource.conflict` when the rotation has ended.
 */
export async function retryRotation(deps: Deps & Pick<ProcessDeps, 'log'>, tx: Tx, id: RotationId) {
  const rotation = await findRotation(tx, tx.actor, id);
  if (isEndedRotation(rotation.status)) {
    throw new Problem({ code: 'resource.conflict', detail: `The rotation is ${rotation.status}, which is final.` });
  }
  tx.audit({
    event: 'integration.rotation-retry',
    action: 'update',
    resource_type: 'integration',
    resource_id: id.integration_id,
    new_values: { rotation_id: id.rotation_id },
  });
  tellAfterCommit(deps, tx, 'rotation-retry', { integration_id: id.integration_id });
  return rotation;
}

function pastSwitch(status: string): Problem {
  return new Problem({
    code: 'integration.rotation-switched',
    detail: 'The rotation is past its switch, or given up already.',
    members: { status },
  });
}
