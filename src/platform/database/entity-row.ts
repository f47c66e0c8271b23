import { LockMode } from '@mikro-orm/core';
import type { EntityName, FilterQuery } from '@mikro-orm/core';
import { notFound } from '../problem.ts';
import type { Tx } from './unit-of-work.ts';

/** Columns of an entity as plain values: null where there is no value, never undefined. */
type PlainRow<Row, Name extends keyof Row> = { [Key in Name]-?: Exclude<Row[Key], undefined> };

/**
 * The entity as a plain row, for answers and audit entries: entities themselves never leave the service. Call it after
 * `tx.flush()`, which sets versions, times and ids.
 *
 * @param columns that are shown, e.g. `feeColumns`
 * @throws Error when a column has no value yet: it comes from the database at the flush, or was not loaded.
 */
export function toRow<Row extends object, Name extends keyof Row & string>(row: Row, columns: readonly Name[]): PlainRow<Row, Name> {
  return Object.fromEntries(
    columns.map((name) => {
      const value = row[name];
      if (value === undefined) throw new Error(`The column ${name} is not known: flush first, or load it.`);
      return [name, value];
    }),
  ) as PlainRow<Row, Name>;
}

/**
 * Loads the one row that is to be changed and locks it until the end of the unit of work, so that the
 * conditions that were checked still hold at the commit.
 *
 * @param resource name of the resource in problem details, e.g. `meeting`
 * @throws Problem `resource.not-found` when there is none, or it is another tenant's.
 */
export async function lockOne<Row extends object>(
  tx: Tx,
  entity: EntityName<Row>,
  where: FilterQuery<NoInfer<Row>>,
  resource: string,
): Promise<Row> {
  const row = await tx.em.findOne(entity, where, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (row === null) throw notFound(resource);
  return row;
}
