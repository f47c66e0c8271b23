import { isBeforeSwitch, isEndedRotation } from '../../domain/integration/key-rotation.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { findRotation } from './key-rotation.queries.ts';
import { sendRotationAbort, sendRotationRetry } from './key-rotation.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

interface RotationId {
  readonly integration_id: string;
  readonly rotation_id: string;
}

/**
 * Aborts a rotation before its switch; the key that was made for it is revoked afterwards.
 *
 * @returns the rotation, which cannot switch any more.
 * @throws Problem 404, `integration.rotation-switched`, or `service.unavailable` when Temporal is unavailable.
 */
export async function abortRotation(deps: Deps, actor: Actor, id: RotationId) {
  const { status } = await findRotation(deps.db, actor, id);
  if (!isBeforeSwitch(status)) throw pastSwitch(status);
  await sendRotationAbort(deps, { tenant_id: actor.tenant_id, ...id });
  const rotation = await findRotation(deps.db, actor, id);
  if (rotation.switched_at !== null) throw pastSwitch(rotation.status);
  return rotation;
}

/**
 * Has the present step of a rotation tried again at once.
 *
 * @throws Problem 404, `resource.conflict` when the rotation has ended, or `service.unavailable` when Temporal is unavailable.
 */
export async function retryRotation(deps: Deps, actor: Actor, id: RotationId) {
  const rotation = await findRotation(deps.db, actor, id);
  if (isEndedRotation(rotation.status)) {
    throw new Problem({ code: 'resource.conflict', detail: `The rotation is ${rotation.status}, which is final.` });
  }
  await sendRotationRetry(deps, { tenant_id: actor.tenant_id, integration_id: id.integration_id });
  return rotation;
}

function pastSwitch(status: string): Problem {
  return new Problem({
    code: 'integration.rotation-switched',
    detail: 'The rotation is past its switch, or given up already.',
    members: { status },
  });
}
