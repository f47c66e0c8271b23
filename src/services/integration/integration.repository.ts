import { sql } from 'kysely';
import { hasKeyManagement } from '../../domain/integration/integration.ts';
import { isBeforeSwitch, openRotationStatuses } from '../../domain/integration/integration-rotation.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Columns of an integration that may be shown; no secret is among them. */
export const integrationColumns = [
  'id',
  'name',
  'kind',
  'environment',
  'config',
  'secret_fingerprint',
  'secret_changed_at',
  'key_id',
  'is_enabled',
  'sync_every_seconds',
  'last_sync_status',
  'last_sync_at',
  'created_by',
  'created_at',
  'updated_at',
  'version',
] as const;

/** When a change was made; the moment of the write, because the transaction may have waited for the row. */
export const changedNow = sql<string>`clock_timestamp()`;

/** Where the secret of an integration is sealed. */
export function integrationSecretPlace(id: string) {
  return { table: 'admin_integrations', column: 'secret_ciphertext', row_id: id };
}

/** An integration as the rules look at it. */
export type IntegrationRow = Awaited<ReturnType<typeof lockIntegration>>;

/**
 * Locks an integration against other changes until the transaction ends.
 *
 * @param version what the caller has read; left out, any.
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
  if (version !== undefined && row.version !== version) {
    throw new Problem({
      code: 'resource.version-mismatch',
      detail: 'The integration has changed since it was read. Read it again and repeat the change.',
      members: { current_version: row.version },
    });
  }
  return row;
}

/**
 * @param phase how much of a rotation is in the way: until its end, or only as long as it may be called off.
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
    detail: 'A key rotation of this integration is not at its end. Wait for it, or abort it before its switch.',
    members: { rotation_id: rotation.id, status: rotation.status },
  });
}

/** @throws Problem `integration.rotation-unsupported` when a rotation could not run by itself. */
export function assertRotatable({ config, key_id, is_enabled }: IntegrationRow): string {
  const missing = !hasKeyManagement(config)
    ? 'Its configuration names no key management; exchange the secret with PUT …/config.'
    : key_id === null
      ? 'The id of its key is not known, so the key could not be revoked; give key_id with PUT …/config.'
      : is_enabled
        ? null
        : 'It is switched off.';
  if (missing === null && key_id !== null) return key_id;
  throw new Problem({
    code: 'integration.rotation-unsupported',
    detail: `The key of this integration cannot be rotated. ${missing ?? ''}`,
  });
}
