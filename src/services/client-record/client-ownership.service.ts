import { sql } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';

/** How many client records are in the name of a person, deleted ones included: those can come back (S4-28). */
export async function countClientsOf(tx: Tx, userId: string): Promise<number> {
  const { count } = await tx.sql
    .selectFrom('clients')
    .where('created_by', '=', userId)
    .select(sql<number>`count(*)::int`.as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** Puts the client records of a person in the name of another one, with one audit entry for all. */
export async function transferClients(tx: Tx, from: string, to: string): Promise<void> {
  const { numUpdatedRows } = await tx.sql
    .updateTable('clients')
    .set({ created_by: to, version: nextVersion(), updated_at: sql<string>`now()` })
    .where('created_by', '=', from)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'client.transfer',
    action: 'update',
    resource_type: 'client',
    resource_id: null,
    old_values: { owner: from },
    new_values: { owner: to, count: Number(numUpdatedRows) },
  });
}
