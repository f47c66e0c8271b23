import { hasKeyManagement } from '../../domain/integration/integration.ts';
import type { KeyedConfig } from '../../domain/integration/integration.ts';
import { canMoveRotation } from '../../domain/integration/key-rotation.ts';
import type { RotationFault, RotationStatus } from '../../domain/integration/key-rotation.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { changedNow, integrationSecretPlace } from './integration.repository.ts';
import { rotationColumns } from './key-rotation.queries.ts';

const table = 'admin_key_rotations';
type SecretColumn = 'new_secret_ciphertext' | 'old_secret_ciphertext';

function rotationSecretPlace(id: string, column: SecretColumn) {
  return { table, column, row_id: id };
}

/** A rotation that is looked at by its workflow, with the secrets still sealed. */
export interface StoredRotation {
  readonly id: string;
  readonly integration_id: string;
  readonly status: RotationStatus;
  readonly requested_by: string | null;
  readonly grace_seconds: number;
  readonly grace_until: string | null;
  readonly old_key_id: string;
  readonly old_fingerprint: string;
  readonly new_key_id: string | null;
  readonly new_fingerprint: string | null;
  readonly new_secret_ciphertext: string | null;
  readonly old_secret_ciphertext: string | null;
  readonly creation_started_at: string | null;
  readonly revoke_attempts: number;
  readonly error_code: string | null;
  readonly error_detail: string | null;
}

/** Locks a rotation. @throws Problem 404. */
export async function lockRotation(tx: Tx, id: string): Promise<StoredRotation> {
  const row = await tx.sql
    .selectFrom(table)
    .where('id', '=', id)
    .select(['id', 'integration_id', 'status', 'requested_by', 'grace_seconds', 'grace_until', 'old_key_id'])
    .select(['old_fingerprint', 'new_key_id', 'new_fingerprint', 'new_secret_ciphertext', 'old_secret_ciphertext'])
    .select(['creation_started_at', 'revoke_attempts', 'error_code', 'error_detail'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (row === undefined) throw notFound('key rotation');
  return row;
}

/** The keys of a rotation and where they are used; opened for one activity and kept nowhere. */
export interface RotationKeys {
  readonly rotation: StoredRotation;
  readonly config: KeyedConfig;
  readonly integration_id: string;
  /** What the integration uses at this moment: the old key before the switch, the new one after it. */
  readonly current: string;
  readonly fresh: string | null;
  readonly old: string | null;
}

/** Opens the keys of a rotation. @throws Problem 404, or 409 when the integration can no longer be rotated. */
export async function openRotationKeys(tx: Tx, keyring: Keyring, id: string): Promise<RotationKeys> {
  const rotation = await lockRotation(tx, id);
  const integration = await tx.sql
    .selectFrom('admin_integrations')
    .where('id', '=', rotation.integration_id)
    .select(['id', 'config', 'secret_ciphertext'])
    .executeTakeFirstOrThrow();
  const { config } = integration;
  if (!hasKeyManagement(config)) {
    throw new Problem({ code: 'integration.rotation-unsupported', detail: 'The key management is not configured any more.' });
  }
  const opened = (column: SecretColumn) => {
    const ciphertext = rotation[column];
    return ciphertext === null ? null : keyring.open(ciphertext, rotationSecretPlace(id, column));
  };
  return {
    rotation,
    config,
    integration_id: integration.id,
    current: keyring.open(integration.secret_ciphertext, integrationSecretPlace(integration.id)),
    fresh: opened('new_secret_ciphertext'),
    old: opened('old_secret_ciphertext'),
  };
}

/** Says that the remote service is about to be asked for a key; false when the rotation has gone on meanwhile. */
export async function markCreation(tx: Tx, id: string): Promise<boolean> {
  const rotation = await lockRotation(tx, id);
  if (rotation.status !== 'requested') return false;
  await tx.sql.updateTable(table).set({ creation_started_at: changedNow }).where('id', '=', id).execute();
  return true;
}

/** Seals the new key into the row, before anything is done with it. */
export async function keepNewKey(tx: Tx, keyring: Keyring, id: string, key: { key_id: string; secret: string }): Promise<void> {
  const { status } = await lockRotation(tx, id);
  // A rotation that was given up while its key was being made keeps the key too, to revoke it.
  if (status !== 'requested' && status !== 'discarding') return;
  await move(tx, id, status === 'requested' ? { from: 'requested', to: 'created' } : null, {
    new_key_id: key.key_id,
    new_fingerprint: keyring.fingerprint(key.secret),
    new_secret_ciphertext: keyring.seal(key.secret, rotationSecretPlace(id, 'new_secret_ciphertext')),
  });
}

/** A live call with the new key was accepted. */
export function markVerified(tx: Tx, id: string): Promise<void> {
  return move(tx, id, { from: 'created', to: 'verified' }, { verified_at: changedNow });
}

/**
 * The switch: in one unit of work the integration takes the new key, and the row keeps the old one until it is revoked.
 * Both stay sealed, each for its new place.
 *
 * @param at the workflow's time in milliseconds, from which the grace runs.
 * @throws Problem 409 when the secret of the integration was exchanged by hand meanwhile.
 */
export async function switchKeys(tx: Tx, keyring: Keyring, id: string, at: number): Promise<void> {
  const { rotation, fresh, current, integration_id } = await openRotationKeys(tx, keyring, id);
  if (rotation.status !== 'verified' || fresh === null) return;
  const switched = await tx.sql
    .updateTable('admin_integrations')
    .set((eb) => ({
      secret_ciphertext: keyring.seal(fresh, integrationSecretPlace(integration_id)),
      secret_fingerprint: keyring.fingerprint(fresh),
      secret_changed_at: changedNow,
      key_id: rotation.new_key_id,
      version: eb('version', '+', 1),
      updated_at: changedNow,
    }))
    .where('id', '=', integration_id)
    .where('secret_fingerprint', '=', rotation.old_fingerprint)
    .returning('version')
    .executeTakeFirst();
  if (switched === undefined) {
    throw new Problem({ code: 'resource.conflict', detail: 'The secret of the integration was exchanged meanwhile.' });
  }
  await move(tx, id, { from: 'verified', to: 'switched' }, {
    old_secret_ciphertext: keyring.seal(current, rotationSecretPlace(id, 'old_secret_ciphertext')),
    new_secret_ciphertext: null,
    switched_at: new Date(at),
    grace_until: new Date(at + rotation.grace_seconds * 1_000),
  });
}

/** The grace is over: the old key is to be revoked. */
export function beginRevoking(tx: Tx, id: string): Promise<void> {
  return move(tx, id, { from: 'switched', to: 'revoking' }, {});
}

/** What went wrong with the last try of a step; stays in sight until a try succeeds. */
export interface StepFailure {
  readonly code: RotationFault;
  readonly detail: string;
  /** When it is tried again, in milliseconds since the epoch. */
  readonly next_at: number;
}

/** Writes down that a step has failed and when it is tried again. */
export async function noteFailure(tx: Tx, id: string, { code, detail, next_at }: StepFailure): Promise<void> {
  const { status, revoke_attempts } = await lockRotation(tx, id);
  const isRevoking = status === 'revoking' || status === 'discarding';
  await move(tx, id, null, {
    attempt_error_code: code,
    attempt_error_detail: detail.slice(0, 500),
    next_attempt_at: new Date(next_at),
    ...(isRevoking ? { revoke_attempts: revoke_attempts + 1 } : {}),
  });
}

/** A call with the old key was refused: the rotation has done what it is for, and the old key is forgotten. */
export async function completeRotation(tx: Tx, id: string): Promise<void> {
  await move(tx, id, { from: 'revoking', to: 'completed' }, {
    ...forgotten,
    refused_at: changedNow,
    ended_at: changedNow,
  });
}

/** Gives a rotation up before its switch; why stands in the row. What the remote service has made is revoked next. */
export async function giveUp(tx: Tx, id: string, failure: { code: string; detail: string } | null): Promise<void> {
  const { status } = await lockRotation(tx, id);
  if (status !== 'requested' && status !== 'created' && status !== 'verified') return;
  await move(tx, id, { from: status, to: 'discarding' }, {
    error_code: failure?.code ?? null,
    error_detail: failure?.detail.slice(0, 500) ?? null,
  });
}

/** Nothing of the rotation is left at the remote service: it has failed, or was called off by a person. */
export async function endDiscarded(tx: Tx, id: string): Promise<void> {
  const { error_code } = await lockRotation(tx, id);
  const to = error_code === null ? 'aborted' : 'failed';
  await move(tx, id, { from: 'discarding', to }, { ...forgotten, ended_at: changedNow });
}

const forgotten = { new_secret_ciphertext: null, old_secret_ciphertext: null };

/** A step that was made: the trouble on the way to it is over. */
const untroubled = { attempt_error_code: null, attempt_error_detail: null, next_attempt_at: null };

/**
 * One step in the life of a rotation, on record; a step that was made already changes nothing.
 *
 * @param step null for a change that is no step.
 */
async function move(
  tx: Tx,
  id: string,
  step: { from: RotationStatus; to: RotationStatus } | null,
  change: Record<string, unknown>,
): Promise<void> {
  if (step !== null && !canMoveRotation(step.from, step.to)) throw new Error(`No way from ${step.from} to ${step.to}.`);
  const moved = await tx.sql
    .updateTable(table)
    .set({ ...(step === null ? {} : { ...untroubled, status: step.to }), ...change, updated_at: changedNow })
    .where((eb) => eb.and({ id, status: step?.from }))
    .returning(rotationColumns)
    .executeTakeFirst();
  if (moved === undefined) return;
  const fault = step === null ? moved.attempt_error_code : moved.error_code;
  tx.audit({
    event: `integration.rotation-${step === null ? 'progress' : step.to}`,
    action: 'update',
    resource_type: 'integration',
    resource_id: moved.integration_id,
    ...(fault === null ? {} : { outcome: 'failed' as const, reason: fault }),
    ...(step === null ? {} : { old_values: { status: step.from } }),
    new_values: moved,
  });
}
