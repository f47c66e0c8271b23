import { sql } from 'kysely';
import type { SelectQueryBuilder } from 'kysely';
import { z } from 'zod';
import { Problem } from '../problem.ts';

/** Query fields of every list: page size and cursor. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Number of items, 1 to 100'),
  cursor: z.string().max(512).optional().describe('`next_cursor` of the previous page'),
};

/** A page of a list. There is no total: counting costs more than the page. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('Send as `cursor` to get the next page; null on the last page'),
  });
}

/** The position after which a page begins: sort value and id of the last row of the page before (keyset paging). */
export type Position = readonly [sortValue: string, id: string];

/** PostgreSQL has no year 0. */
const isAfterYearZero = (text: string) => !text.startsWith('0000');
/** A time as rows have it, in UTC. */
const rowTime = z.iso.datetime().refine(isAfterYearZero);

/** Positions in a list that is ordered by a time and the id. */
export const timePosition = z.tuple([rowTime, z.guid()]);
/** {@link rowTime}, or a day of the same years. */
export const timeOrDay = z.union([rowTime, z.iso.date().refine(isAfterYearZero)]);
/** Positions in a list that is ordered by a name and the id. */
export const namePosition = z.tuple([z.string().max(200), z.guid()]);
/** Positions in a list that is ordered by a unique number. */
export const numberPosition = z.tuple([z.string().regex(/^\d{1,15}$/), z.string().max(100)]);

/**
 * @param position schema of the cursors of this list, so that one of another list does not reach the database.
 * @throws Problem `request.cursor-invalid` when the text is none of its cursors.
 */
export function parseCursor(cursor: string | undefined, position: z.ZodType<Position>): Position | null {
  if (cursor === undefined) return null;
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new Problem({
      code: 'request.cursor-invalid',
      detail: 'Start again without a cursor, or use next_cursor as this list returned it.',
      cause,
    });
  }
}

interface PageBody<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** Which page of a list: the two fields of {@link pageQuery}. */
export interface Page {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * Orders a query by a time and the id, both descending, and cuts the page out of it with one row more than was asked for;
 * for `$call`. {@link newestPage} makes the answer of the rows.
 *
 * @param columns as the query names them.
 * @throws Problem `request.cursor-invalid` when the cursor is of another list.
 */
export function newestFirst(
  { limit, cursor }: Page,
  { time, id }: { readonly time: string; readonly id: string } = { time: 'created_at', id: 'id' },
) {
  const after = parseCursor(cursor, timePosition);
  const [timeColumn, idColumn] = [sql.ref(time), sql.ref(id)];
  return <DB, TB extends keyof DB, Row>(list: SelectQueryBuilder<DB, TB, Row>): SelectQueryBuilder<DB, TB, Row> => {
    const ordered = list.orderBy(timeColumn, 'desc').orderBy(idColumn, 'desc').limit(limit + 1);
    if (after === null) return ordered;
    return ordered.where(sql<boolean>`(${timeColumn}, ${idColumn}) < (${after[0]}::timestamptz, ${after[1]}::uuid)`);
  };
}

interface NewestRow {
  readonly created_at: string;
  readonly id: string;
}

/** {@link toPage} of a list that is ordered by `created_at`; the items are the rows unless `present` says otherwise. */
export function newestPage<Row extends NewestRow>(rows: readonly Row[], limit: number): PageBody<Row>;
export function newestPage<Row extends NewestRow, Item>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => Item,
): PageBody<Item>;
export function newestPage<Row extends NewestRow>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => unknown = (row) => row,
): PageBody<unknown> {
  return toPage(rows, limit, (row) => [row.created_at, row.id], present);
}

/**
 * Cuts a page out of the rows of a query that asked for `limit + 1`, and makes the cursor of the next one.
 *
 * @param positionOf sort value and id of a row, as the query orders by.
 */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => Position,
  present: (row: Row) => Item,
): PageBody<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(present),
    next_cursor: more ? Buffer.from(JSON.stringify(positionOf(last))).toString('base64url') : null,
  };
}
