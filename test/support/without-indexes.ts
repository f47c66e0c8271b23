import type { Client } from 'pg';

/**
 * Fills tables while they are without the indexes that no constraint needs, and makes these afterwards: a million rows one by one
 * into a dozen indexes take minutes.
 */
export async function withoutIndexes(db: Pick<Client, 'query'>, tables: readonly string[], fill: () => Promise<void>): Promise<void> {
  const { rows } = await db.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
     where i.indrelid = any($1::regclass[]) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [tables],
  );
  for (const { name } of rows) await db.query(`drop index ${name}`);
  await fill();
  for (const { definition } of rows) await db.query(definition);
}
