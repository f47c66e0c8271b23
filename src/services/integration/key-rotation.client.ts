import type { ActorRef } from '../../domain/shared/actor.ts';
import { openRotationStatuses } from '../../domain/integration/integration-rotation.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { keyRotationStartOptions, keyRotationWorkflowType } from '../../workflows/integration/key-rotation.contract.ts';
import type { KeyRotationRef } from '../../workflows/integration/key-rotation.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** Starts the workflow of a rotation; one that runs already is left alone. */
export async function startRotation({ temporal }: Pick<ProcessDeps, 'temporal'>, ref: KeyRotationRef): Promise<void> {
  const { tenant_id, integration_id, rotation_id } = ref;
  await startOnce(temporal, keyRotationWorkflowType, keyRotationStartOptions({ tenant_id, integration_id, rotation_id }));
}

/**
 * Starts the rotation that an approved `integration.rotate-key` has written down. A repetition starts nothing more, and
 * what is lost in between the sweep starts.
 */
export async function startApprovedRotations(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  const rotations = await read(
    deps.db,
    actor,
    query
      .selectFrom('admin_key_rotations')
      .where('approval_id', '=', approvalId)
      .where('status', 'in', [...openRotationStatuses])
      .select(['tenant_id', 'integration_id', 'id as rotation_id']),
  );
  for (const rotation of rotations) await startRotation(deps, rotation);
}
