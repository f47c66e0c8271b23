import { sql } from 'kysely';
import { personKeyEvent } from '../../platform/audit/audit-person-keys.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Authority } from '../actions/action.ts';

/**
 * What an erasure takes of a person beside their own record, whatever kind of record that is: the key under which the audit seals
 * what it holds about them, and payloads and reasons of closed approval requests that name them. Their digests stay. Requests that
 * wait keep them, the one for this erasure among them.
 *
 * @returns of how many requests.
 */
export async function erasePersonTraces(tx: Tx, personId: string): Promise<number> {
  await destroyKey(tx, personId);
  tx.invalidate({ kind: personKeyEvent, key: `${tx.actor.tenant_id}/${personId}` });
  const { rows } = await sql<{ erased: number }>`select erase_approval_texts(${personId}::uuid) as erased`.execute(tx.sql);
  return rows[0]?.erased ?? 0;
}

/** When the key of a person was destroyed; null while it was not. */
export async function erasedAt(tx: Tx, personId: string): Promise<string | null> {
  const key = await tx.sql.selectFrom('audit_person_keys').where('person_id', '=', personId).select('destroyed_at').executeTakeFirst();
  return key?.destroyed_at ?? null;
}

/** Whether one of some persons was erased. */
export async function isAnyErased(db: ReadSource, scope: ReadScope, personIds: readonly string[]): Promise<boolean> {
  if (personIds.length === 0) return false;
  const erased = kysely
    .selectFrom('audit_person_keys')
    .where('person_id', '=', sql<string>`any(${personIds}::uuid[])`)
    .where('destroyed_at', 'is not', null)
    .select('person_id')
    .limit(1);
  return (await read(db, scope, erased)).length > 0;
}

/** The request for the erasure is still open, and its text names the person. @param description what it says instead. */
export async function clearOwnText(tx: Tx, authority: Authority, description: string): Promise<void> {
  if (authority.kind !== 'approval') return;
  await tx.sql
    .updateTable('admin_approvals')
    .set({ description, changes: jsonb([]) })
    .where('id', '=', authority.approval_id)
    .execute();
}

/** Also for a person without a key, so that none is made later. */
async function destroyKey(tx: Tx, personId: string): Promise<void> {
  const destroyed = { key_ciphertext: null, destroyed_at: sql<string>`now()`, destroyed_by: tx.actor.user_id };
  await tx.sql
    .insertInto('audit_person_keys')
    .values({ tenant_id: tx.actor.tenant_id, person_id: personId, ...destroyed })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'person_id']).doUpdateSet(destroyed))
    .execute();
}
