import { z } from 'zod';
import { openRotationStatuses } from '../../domain/integration/integration-rotation.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { keyRotationStartOptions, keyRotationWorkflowType } from '../../workflows/integration/key-rotation.contract.ts';
import type { KeyRotationRef } from '../../workflows/integration/key-rotation.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { CommittedChange } from '../actions/action.ts';

/** Starts the workflow of a rotation; one that runs already is left alone. */
export async function startRotation({ temporal }: Pick<ProcessDeps, 'temporal'>, ref: KeyRotationRef): Promise<void> {
  const { tenant_id, integration_id, rotation_id } = ref;
  await startOnce(temporal, keyRotationWorkflowType, keyRotationStartOptions({ tenant_id, integration_id, rotation_id }));
}

/** What a committed `integration.rotate-key` has written down. */
const begunRotation = z.object({ rotation_id: z.uuid() });

/**
 * Starts the rotation that a committed `integration.rotate-key` has written down. Where that may have happened before,
 * only one that has not ended; what is lost in between the sweep starts.
 */
export async function startCommittedRotation(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, payload, result, isRepetition }: CommittedChange<{ readonly integration_id: string }>,
): Promise<void> {
  const { rotation_id } = begunRotation.parse(result);
  if (isRepetition) {
    const open = query
      .selectFrom('admin_key_rotations')
      .where('id', '=', rotation_id)
      .where('status', 'in', [...openRotationStatuses])
      .select('id');
    if ((await read(deps.db, actor, open)).length === 0) return;
  }
  await startRotation(deps, { tenant_id: actor.tenant_id, integration_id: payload.integration_id, rotation_id });
}
