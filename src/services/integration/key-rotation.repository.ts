import { hasKeyManagement } from '../../domain/integration/integration.ts';
import type { KeyedConfig } from '../../domain/integration/integration.ts';
import { canMoveRotation } from '../../domain/integration/key-rotation.ts';
import type { RotationFault, RotationStatus } from '../../domain/integration/key-rotation.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { changedNow, integrationSecretPlace } from './integration.repository.ts';
import { rotationColumns } from './key-rotation.queries.ts';

const table = 'admin_key_rotations';
type SecretColumn = 'new_secret_ciphertext' | 'old_secret_ciphertext';

function rotationSecretPlace(id: string, column: SecretColumn) {
  return { table, column, row_id: id };
}

/** A locked rotation, with its secrets still sealed. */
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

/** The opened keys of a rotation and the configuration they are used with; held by one activity and never stored. */
export interface RotationKeys {
  readonly rotation: StoredRotation;
  readonly config: KeyedConfig;
  readonly integration_id: string;
  /** The key that the integration uses now: the old one before the switch, the new one after it. */
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

/** Records that the remote service is about to be asked for a key. @returns false when the rotation has moved on. */
export async function markCreation(tx: Tx, id: string): Promise<boolean> {
  const rotation = await lockRotation(tx, id);
  if (rotation.status !== 'requested') return false;
  await tx.sql.updateTable(table).set({ creation_started_at: changedNow }).where('id', '=', id).execute();
  return true;
}

/** Seals the new key into the row, before it is used for anything. */
export async function saveNewKey(tx: Tx, keyring: Keyring, id: string, key: { key_id: string; secret: string }): Promise<void> {
  const { status } = await lockRotation(tx, id);
  // A rotation that was given up while its key was being created stores the key too, to revoke it.
  if (status !== 'requested' && status !== 'discarding') return;
  await transition(tx, id, status === 'requested' ? { from: 'requested', to: 'created' } : null, {
    new_key_id: key.key_id,
    new_fingerprint: keyring.fingerprint(key.secret),
    new_secret_ciphertext: keyring.seal(key.secret, rotationSecretPlace(id, 'new_secret_ciphertext')),
  });
}

/** A live call with the new key was accepted. */
export function markVerified(tx: Tx, id: string): Promise<void> {
  return transition(tx, id, { from: 'created', to: 'verified' }, { verified_at: changedNow });
}

/**
 * The switch: in one unit of work the integration gets the new key, and the row keeps the old one until it is revoked.
 * Both stay sealed, each for its new column.
 *
 * @param at the workflow's time in milliseconds since the epoch; the grace period begins here.
 * @throws Problem 409 when the secret of the integration was exchanged by hand meanwhile.
 */
export async function switchKeys(tx: Tx, keyring: Keyring, id: string, at: number): Promise<void> {
  const { rotation, fresh, current, integration_id } = await openRotationKeys(tx, keyring, id);
  if (rotation.status !== 'verified' || fresh === null) return;
  const switched = await tx.sql
    .updateTable('admin_integrations')
    .set({
      secret_ciphertext: keyring.seal(fresh, integrationSecretPlace(integration_id)),
      secret_fingerprint: keyring.fingerprint(fresh),
      secret_changed_at: changedNow,
      key_id: rotation.new_key_id,
      version: nextVersion(),
      updated_at: changedNow,
    })
    .where('id', '=', integration_id)
    .where('secret_fingerprint', '=', rotation.old_fingerprint)
    .returning('version')
    .executeTakeFirst();
  if (switched === undefined) {
    throw new Problem({ code: 'resource.conflict', detail: 'The secret of the integration was exchanged meanwhile.' });
  }
  await transition(tx, id, { from: 'verified', to: 'switched' }, {
    old_secret_ciphertext: keyring.seal(current, rotationSecretPlace(id, 'old_secret_ciphertext')),
    new_secret_ciphertext: null,
    switched_at: new Date(at),
    grace_until: new Date(at + rotation.grace_seconds * 1_000),
  });
}

/** The grace period is over: the old key is to be revoked. */
export function beginRevoking(tx: Tx, id: string): Promise<void> {
  return transition(tx, id, { from: 'switched', to: 'revoking' }, {});
}

/** Why the last attempt of a step failed; shown until an attempt succeeds. */
interface StepFailure {
  readonly code: RotationFault;
  readonly detail: string;
  /** When the step is attempted again, in milliseconds since the epoch. */
  readonly next_at: number;
}

/** Records that a step has failed and when it is attempted again. */
export async function noteFailure(tx: Tx, id: string, { code, detail, next_at }: StepFailure): Promise<void> {
  const { status, revoke_attempts } = await lockRotation(tx, id);
  const isRevoking = status === 'revoking' || status === 'discarding';
  await transition(tx, id, null, {
    attempt_error_code: code,
    attempt_error_detail: detail.slice(0, 500),
    next_attempt_at: new Date(next_at),
    ...(isRevoking ? { revoke_attempts: revoke_attempts + 1 } : {}),
  });
}

/** A call with the old key was refused: the rotation is complete, and the stored old key is erased. */
export async function completeRotation(tx: Tx, id: string): Promise<void> {
  await transition(tx, id, { from: 'revoking', to: 'completed' }, {
    ...erasedSecrets,
    refused_at: changedNow,
    ended_at: changedNow,
  });
}

/**
 * Gives a rotation up before its switch and records why. The key that was created for it is revoked next.
 *
 * @returns false when it is past its switch, or given up already.
 */
export async function giveUp(tx: Tx, id: string, failure: { code: string; detail: string } | null): Promise<boolean> {
  const { status } = await lockRotation(tx, id);
  if (status !== 'requested' && status !== 'created' && status !== 'verified') return false;
  await transition(tx, id, { from: status, to: 'discarding' }, {
    error_code: failure?.code ?? null,
    error_detail: failure?.detail.slice(0, 500) ?? null,
  });
  return true;
}

/** Ends a rotation that was given up, when none of its keys is left: `failed`, or `aborted` when a person ended it. */
export async function endDiscarded(tx: Tx, id: string): Promise<void> {
  const { error_code } = await lockRotation(tx, id);
  const to = error_code === null ? 'aborted' : 'failed';
  await transition(tx, id, { from: 'discarding', to }, { ...erasedSecrets, ended_at: changedNow });
}

const erasedSecrets = { new_secret_ciphertext: null, old_secret_ciphertext: null };

/** Clears the failure of earlier attempts when a step succeeds. */
const noAttemptFailure = { attempt_error_code: null, attempt_error_detail: null, next_attempt_at: null };

/**
 * Writes one transition of a rotation with its audit entry; a transition that was made already changes nothing.
 *
 * @param step null for a change without a transition.
 */
async function transition(
  tx: Tx,
  id: string,
  step: { from: RotationStatus; to: RotationStatus } | null,
  change: Record<string, unknown>,
): Promise<void> {
  if (step !== null && !canMoveRotation(step.from, step.to)) {
    throw new Error(`There is no transition from ${step.from} to ${step.to}.`);
  }
  const moved = await tx.sql
    .updateTable(table)
    .set({ ...(step === null ? {} : { ...noAttemptFailure, status: step.to }), ...change, updated_at: changedNow })
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
