import type { Keyring } from '../../platform/security/keyring.ts';
import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { integrationSecretPlace } from './integration.repository.ts';

/** Opens the secret of an integration; every access is audited (S2-58). @throws Problem 404. */
export async function revealSecret(tx: Tx, keyring: Keyring, id: string) {
  const row = await tx.sql
    .selectFrom('admin_integrations')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(['secret_ciphertext', 'secret_fingerprint', 'secret_changed_at', 'key_id'])
    .executeTakeFirst();
  if (row === undefined) throw notFound('integration');
  const { secret_ciphertext, ...visible } = row;
  tx.audit({
    event: 'integration.reveal-secret',
    action: 'read',
    resource_type: 'integration',
    resource_id: id,
    new_values: { secret_fingerprint: row.secret_fingerprint, key_id: row.key_id },
  });
  return { ...visible, secret: keyring.open(secret_ciphertext, integrationSecretPlace(id)) };
}

/** Where a secret was found; `rotation_id` is null for the one that an integration uses now. */
interface SecretUse {
  readonly integration_id: string;
  readonly rotation_id: string | null;
}

/**
 * Finds where a value is or was in use by comparing fingerprints; the value is neither stored nor audited. Fingerprints
 * name their key, so those made with retired keys are found as long as the keys are in the ring.
 */
export async function findSecret(tx: Tx, keyring: Keyring, value: string): Promise<SecretUse[]> {
  const integrations = await tx.sql
    .selectFrom('admin_integrations')
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .select(['id', 'secret_fingerprint'])
    .execute();
  const rotations = await tx.sql
    .selectFrom('admin_key_rotations')
    .orderBy('id')
    .select(['id', 'integration_id', 'old_fingerprint', 'new_fingerprint'])
    .execute();
  const matches = (fingerprint: string | null) => fingerprint !== null && keyring.matchesFingerprint(value, fingerprint);
  const uses: SecretUse[] = [
    ...integrations
      .filter(({ secret_fingerprint }) => matches(secret_fingerprint))
      .map(({ id }) => ({ integration_id: id, rotation_id: null })),
    ...rotations
      .filter(({ old_fingerprint, new_fingerprint }) => matches(old_fingerprint) || matches(new_fingerprint))
      .map(({ id, integration_id }) => ({ integration_id, rotation_id: id })),
  ];
  tx.audit({
    event: 'integration.find-secret',
    action: 'read',
    resource_type: 'integration',
    resource_id: null,
    new_values: { uses },
  });
  return uses;
}
