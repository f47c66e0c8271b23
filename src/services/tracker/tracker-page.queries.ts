import { sql } from 'kysely';
import type { SelectQueryBuilder } from 'kysely';
import { z } from 'zod';
import { maxInteger } from '../../domain/shared/integer-column.ts';
import { parseCursor, timeOrDay } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';

/** Positions in a list of the tracker: a time or a day, and an integer id. */
const trackerPosition = z.tuple([
  timeOrDay,
  z
    .string()
    .regex(/^[1-9]\d{0,9}$/)
    .refine((id) => Number(id) <= maxInteger),
]);

/**
 * The condition "after the last row of the page before" for a list that is ordered by a time or day and the id, both
 * descending.
 *
 * @throws Problem `request.cursor-invalid` when the cursor is of another list.
 */
function afterCursor(cursor: string | undefined, sortColumn: string, idColumn: string) {
  const after = parseCursor(cursor, trackerPosition);
  if (after === null) return sql<boolean>`true`;
  const [time, id] = after;
  const type = sql.raw(time.length === 10 ? 'date' : 'timestamptz');
  return sql<boolean>`(${sql.ref(sortColumn)}, ${sql.ref(idColumn)}) < (${time}::${type}, ${Number(id)}::integer)`;
}

/**
 * Orders a query by a time or day and the id, both descending, and cuts the page out of it with one row more than was
 * asked for; for `$call`. `toPage` makes the page from the rows.
 *
 * @param columns as the query names them.
 * @throws Problem `request.cursor-invalid` when the cursor is of another list.
 */
export function latestFirst({ limit, cursor }: Page, { sort, id }: { readonly sort: string; readonly id: string }) {
  const condition = afterCursor(cursor, sort, id);
  return <DB, TB extends keyof DB, Row>(list: SelectQueryBuilder<DB, TB, Row>): SelectQueryBuilder<DB, TB, Row> =>
    list
      .where(condition)
      .orderBy(sql.ref(sort), 'desc')
      .orderBy(sql.ref(id), 'desc')
      .limit(limit + 1);
}
