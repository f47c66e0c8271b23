import { sql } from 'kysely';
import { z } from 'zod';
import { Problem } from '../platform/problem.ts';

/** Query fields of every list: how many, and where to go on. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20).describe('Number of items, 1 to 100'),
  cursor: z.string().max(512).optional().describe('`next_cursor` of the page before'),
};

/** A page of a list. There is no total: counting costs more than the page. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('Goes into `cursor` for the next page; null on the last one'),
  });
}

const position = z.tuple([z.string().max(100), z.string().max(100)]);

/** The place after which a page begins: sort value and id of the last row of the page before (keyset paging). */
export type Position = z.infer<typeof position>;

/** @throws Problem `request.cursor-invalid` when the text is none of our cursors. */
export function parseCursor(cursor: string | undefined): Position | null {
  if (cursor === undefined) return null;
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new Problem({
      code: 'request.cursor-invalid',
      detail: 'Start again without a cursor, or use next_cursor as it was given.',
      cause,
    });
  }
}

const timeText = z.iso.datetime({ offset: true });
const idText = z.uuid();

/**
 * The condition "after the last row of the page before" for a list that is ordered by a time and the id, both descending.
 *
 * @param columns as the query names them.
 * @throws Problem `request.cursor-invalid` when the cursor is of another list.
 */
export function afterRow(cursor: string | undefined, columns: { readonly time: string; readonly id: string } = createdOrder) {
  const after = parseCursor(cursor);
  if (after === null) return sql<boolean>`true`;
  const [time, id] = after;
  if (!timeText.safeParse(time).success || !idText.safeParse(id).success) {
    throw new Problem({ code: 'request.cursor-invalid', detail: 'The cursor is not one of this list.' });
  }
  return sql<boolean>`(${sql.ref(columns.time)}, ${sql.ref(columns.id)}) < (${time}::timestamptz, ${id}::uuid)`;
}

const createdOrder = { time: 'created_at', id: 'id' };

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
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(present),
    next_cursor: more ? Buffer.from(JSON.stringify(positionOf(last))).toString('base64url') : null,
  };
}
