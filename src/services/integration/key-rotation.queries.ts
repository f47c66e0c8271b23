import { openRotationStatuses } from '../../domain/integration/key-rotation.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';

/** Columns of a rotation that may leave the database: no secret is among them. */
export const rotationColumns = [
  'id',
  'integration_id',
  'requested_by',
  'approval_id',
  'reason',
  'status',
  'grace_seconds',
  'old_key_id',
  'old_fingerprint',
  'new_key_id',
  'new_fingerprint',
  'verified_at',
  'switched_at',
  'grace_until',
  'revoke_attempts',
  'next_attempt_at',
  'refused_at',
  'attempt_error_code',
  'attempt_error_detail',
  'error_code',
  'error_detail',
  'created_at',
  'updated_at',
  'ended_at',
] as const;

/** The rotations of an integration, for a page. */
export const rotationsQuery = (integrationId: string) =>
  kysely.selectFrom('admin_key_rotations').where('integration_id', '=', integrationId).select(rotationColumns);

/** True while a rotation has not ended. */
export async function isRotationOpen(db: ReadSource, scope: ReadScope, rotationId: string): Promise<boolean> {
  const open = await read(
    db,
    scope,
    kysely
      .selectFrom('admin_key_rotations')
      .where('id', '=', rotationId)
      .where('status', 'in', [...openRotationStatuses])
      .select('id'),
  );
  return open.length > 0;
}

/** One rotation of an integration. @throws Problem 404. */
export async function findRotation(
  db: ReadSource,
  scope: ReadScope,
  { integration_id, rotation_id }: { readonly integration_id: string; readonly rotation_id: string },
) {
  const [rotation] = await read(db, scope, rotationsQuery(integration_id).where('id', '=', rotation_id));
  if (rotation === undefined) throw notFound('key rotation');
  return rotation;
}

/** The rotation that this transaction has requested: an integration has one open rotation at a time. */
export function requestedRotation(tx: Tx, integrationId: string) {
  return tx.sql
    .selectFrom('admin_key_rotations')
    .where('integration_id', '=', integrationId)
    .where('status', '=', 'requested')
    .select(rotationColumns)
    .executeTakeFirstOrThrow();
}
