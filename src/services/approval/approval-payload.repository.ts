import { randomUUID } from 'node:crypto';
import type { JsonValue } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import { SealedValueError } from '../../platform/security/keyring.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import type { PreparedAction } from '../actions/action.ts';
import { findAction, prepareStored } from '../actions/registry.ts';
import { changeDigest } from '../actions/run-action.ts';

/** The payload stored under a digest. @throws Problem `approval.payload-changed` when it does not match the digest. */
async function approvedPayload(tx: Tx, keyring: Keyring, action: string, digest: string): Promise<JsonValue> {
  const stored = await tx.sql
    .selectFrom('admin_approval_payloads')
    .where('digest', '=', digest)
    .select(['id', 'environment', 'payload', 'payload_ciphertext'])
    .executeTakeFirstOrThrow();
  const payload = openPayload(keyring, stored);
  if (changeDigest({ action, environment: stored.environment, payload }) !== digest) {
    throw new Problem({
      code: 'approval.payload-changed',
      detail: 'The stored payload is not the one that was approved.',
    });
  }
  return payload;
}

/** The payload of a row, decrypted where it holds a secret. */
export function openPayload(
  keyring: Keyring,
  row: {
    id: string;
    environment: EnvironmentName | null;
    payload: JsonValue | null;
    payload_ciphertext: string | null;
  },
): JsonValue {
  if (row.payload_ciphertext === null) return row.payload;
  const place = { table: 'admin_approval_payloads', column: 'payload_ciphertext', row_id: row.id };
  return JSON.parse(keyring.open(row.payload_ciphertext, place)) as JsonValue;
}

/** The columns of a request and its payload out of which {@link listedChange} makes the change. */
export interface StoredChange {
  readonly action: string;
  readonly environment: EnvironmentName | null;
  readonly payload: JsonValue | null;
  /** Null only without a payload. */
  readonly payload_id: string | null;
  readonly payload_ciphertext: string | null;
}

/**
 * The change of a listed request, which may hold a secret. Null when its payload was erased, is not valid in this release, or was
 * sealed under a key that is lost: then the request is still listed.
 */
export function listedChange(keyring: Keyring, { action, environment, payload, payload_id, payload_ciphertext }: StoredChange): PreparedAction | null {
  try {
    const row = { id: payload_id ?? '', environment, payload, payload_ciphertext };
    return prepareStored(action, openPayload(keyring, row));
  } catch (error) {
    if (error instanceof SealedValueError) return null;
    throw error;
  }
}

/** Stores a payload under its digest, once. @returns the digest. */
export async function storePayload(tx: Tx, keyring: Keyring, prepared: PreparedAction): Promise<string> {
  const { action, environment, payload } = prepared;
  const digest = changeDigest({ action: action.name, environment, payload });
  const id = randomUUID();
  const place = { table: 'admin_approval_payloads', column: 'payload_ciphertext', row_id: id };
  const stored = await tx.sql
    .insertInto('admin_approval_payloads')
    .values({
      id,
      tenant_id: tx.actor.tenant_id,
      digest,
      action: action.name,
      environment,
      payload: action.isSecret ? null : jsonb(payload),
      payload_ciphertext: action.isSecret ? keyring.seal(JSON.stringify(payload), place) : null,
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'digest']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (stored === undefined) await assertNotErased(tx, digest);
  return digest;
}

/** @throws Problem `resource.conflict` when the payload of this digest was erased: there is nothing to approve. */
async function assertNotErased(tx: Tx, digest: string): Promise<void> {
  const erased = await tx.sql
    .selectFrom('admin_approval_payloads')
    .where('digest', '=', digest)
    .where('erased_at', 'is not', null)
    .select('id')
    .executeTakeFirst();
  if (erased === undefined) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: 'This change names a person who has been erased since it was requested.',
  });
}

/**
 * The change that is stored under a digest, ready to be made.
 *
 * @throws Problem `approval.payload-changed` when it is not what was approved, or this release does not know the action.
 */
export async function loadChange(tx: Tx, keyring: Keyring, action: string, digest: string): Promise<PreparedAction> {
  const payload = await approvedPayload(tx, keyring, action, digest);
  const known = findAction(action);
  if (known !== undefined) return known.prepare(payload);
  throw new Problem({ code: 'approval.payload-changed', detail: `The action '${action}' no longer exists.` });
}
