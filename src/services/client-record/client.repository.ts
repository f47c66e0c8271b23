import { ClientEntity } from '../../entities/client-record/client.entity.ts';
import { lockOne } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';

/** What audit entries say of a client; numbers are redacted there by their name. */
export const clientColumns = [
  'kind',
  'name',
  'cpf',
  'cnpj',
  'birth_date',
  'email',
  'phone_number',
  'address',
  'contact_id',
  'prospect_id',
] as const;

/** Loads and locks a client that is not deleted. @throws Problem 404, 412 for an older version. */
export async function lockClient(tx: Tx, id: string, version: number) {
  return assertVersion(await lockOne(tx, ClientEntity, { id, deleted_at: null }, 'client'), version);
}

/**
 * Loads and locks a deleted client that can come back.
 *
 * @throws Problem 404, 412 for an older version, `client.not-restorable` for one that is not deleted, was erased or merged.
 */
export async function lockDeletedClient(tx: Tx, id: string, version: number) {
  const client = assertVersion(await lockOne(tx, ClientEntity, { id }, 'client'), version);
  const obstacle = obstacleOf(client);
  if (obstacle !== null) throw new Problem({ code: 'client.not-restorable', detail: obstacle });
  return client;
}

interface Ended {
  readonly deleted_at?: string | null;
  readonly erased_at?: string | null;
  readonly merged_into_id?: string | null;
}

function obstacleOf({ deleted_at, erased_at, merged_into_id }: Ended): string | null {
  if (deleted_at == null) return 'The client is not deleted.';
  if (erased_at != null) return 'The client was erased; nothing is left to restore.';
  return merged_into_id == null ? null : 'The client was merged into another one; undo the merge instead.';
}
