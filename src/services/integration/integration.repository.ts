import { sql } from 'kysely';
import { hasKeyManagement } from '../../domain/integration/integration.ts';
import { isBeforeSwitch, openRotationStatuses } from '../../domain/integration/key-rotation.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertVersion } from '../../platform/row-version.ts';
import { integrationColumns } from './integration.queries.ts';

/** The time of the write, not of the transaction's begin, because the transaction may have waited for the row. */
export const changedNow = sql<string>`clock_timestamp()`;

/** The column that the secret of an integration is sealed for. */
export function integrationSecretPlace(id: string) {
  return { table: 'admin_integrations', column: 'secret_ciphertext', row_id: id };
}

/** A locked integration. */
export type IntegrationRow = Awaited<ReturnType<typeof lockIntegration>>;

/**
 * Locks an integration against other changes until the transaction ends.
 *
 * @param version the version that the caller has read; any version when left out.
 * @throws Problem 404, or 412 when it has another version.
 */
export async function lockIntegration(tx: Tx, id: string, version?: number) {
  const row = await tx.sql
    .selectFrom('admin_integrations')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(integrationColumns)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('integration');
  return version === undefined ? row : assertVersion(row, version);
}

/**
 * @param phase `open` refuses until the rotation has ended, `before-switch` only as long as it can be aborted.
 * @throws Problem `integration.rotation-running`.
 */
export async function assertNotRotating(
  tx: Tx,
  integrationId: string,
  phase: 'open' | 'before-switch' = 'open',
): Promise<void> {
  const rotation = await tx.sql
    .selectFrom('admin_key_rotations')
    .where('integration_id', '=', integrationId)
    .where('status', 'in', openRotationStatuses)
    .select(['id', 'status'])
    .executeTakeFirst();
  if (rotation === undefined || (phase === 'before-switch' && !isBeforeSwitch(rotation.status))) return;
  throw new Problem({
    code: 'integration.rotation-running',
    detail: 'A key rotation of this integration is still running. Wait for its end, or abort it before its switch.',
    members: { rotation_id: rotation.id, status: rotation.status },
  });
}

/**
 * Checks that the key of an integration can be rotated automatically.
 *
 * @returns the remote service's id of the present key.
 * @throws Problem `integration.rotation-unsupported`.
 */
export function assertRotatable({ config, key_id, is_enabled }: IntegrationRow): string {
  const missing = !hasKeyManagement(config)
    ? 'Its configuration names no key management; exchange the secret with PUT …/config.'
    : key_id === null
      ? 'The id of its key is not known, so the key could not be revoked; give key_id with PUT …/config.'
      : is_enabled
        ? null
        : 'It is disabled.';
  if (missing === null && key_id !== null) return key_id;
  throw new Problem({
    code: 'integration.rotation-unsupported',
    detail: `The key of this integration cannot be rotated. ${missing ?? ''}`,
  });
}
