import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A column that names a client, in a table whose rows have an `id` and count their versions. */
interface ClientReference {
  /** As merges keep it and show it; never renamed. */
  readonly name: string;
  readonly table: string;
  readonly column: string;
  /** Which of the rows follow; default: all. */
  readonly only?: RawBuilder<boolean>;
}

/**
 * What refers to clients and follows them when they are merged. An area whose rows name a client adds a line. What says what a
 * client was at the time, such as the merges themselves and the audit, stays as it is.
 */
export const clientReferences: readonly ClientReference[] = [
  { name: 'merged_clients', table: 'clients', column: 'merged_into_id' },
  // Whoever asked is waiting, and the law counts the days from when they did. What was answered is a matter of the past.
  { name: 'data_requests', table: 'client_data_requests', column: 'client_id', only: sql<boolean>`status = 'open'` },
];

/** The rows that were moved, by the name of their reference. */
export type MovedReferences = Readonly<Record<string, readonly string[]>>;

/** Has everything that refers to a client refer to another one. The entities of these rows must not be loaded. */
export async function moveReferences(tx: Tx, from: string, to: string): Promise<MovedReferences> {
  const moved: Record<string, readonly string[]> = {};
  for (const { name, only, ...reference } of clientReferences) {
    const ids = await point(tx, reference, from, to, only);
    if (ids.length > 0) moved[name] = ids;
  }
  return moved;
}

/** Moves references back where they still are where {@link moveReferences} has left them. @returns how many were moved back. */
export async function moveBack(tx: Tx, references: MovedReferences, from: string, to: string): Promise<number> {
  let count = 0;
  for (const { name, table, column } of clientReferences) {
    const ids = references[name] ?? [];
    if (ids.length > 0) count += (await point(tx, { table, column }, from, to, sql<boolean>`id = any(${ids}::uuid[])`)).length;
  }
  return count;
}

type Column = Pick<ClientReference, 'table' | 'column'>;

async function point(tx: Tx, { table, column }: Column, from: string, to: string, only = sql<boolean>`true`) {
  const named = sql.ref(column);
  const update = sql<{ id: string }>`update ${sql.table(table)} set ${named} = ${to}::uuid, version = version + 1, updated_at = now()
    where ${named} = ${from}::uuid and ${only} returning id`;
  return (await update.execute(tx.sql)).rows.map(({ id }) => id).toSorted();
}
