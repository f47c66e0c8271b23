import { sql } from 'kysely';
import { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import { maxInteger } from '../../domain/shared/integer-column.ts';
import { Problem } from '../../platform/problem.ts';
import { parseCursor } from '../../platform/database/keyset-page.ts';
import { route } from '../http/route.ts';
import type { Route, RouteSpec } from '../http/route.ts';

/** Where the tracker lives. */
export const trackerPath = '/api/v1/master-admin';

/** What all its routes share: only the master admin, who is the super admin, reaches them (S0-61, X-11). */
export const trackerRoute = { tag: 'tracker', permission: 'tracker:use', gate: 'none' } as const;

/** Integer id in a path; a text that is no number is a resource that is not there, `today` included (S0-80). */
const pathId = z
  .string()
  .regex(/^[1-9]\d{0,9}$/)
  .transform(Number)
  .refine((id) => id <= maxInteger);

export const idParams = z.object({ id: pathId });
export const stageParams = z.object({ id: pathId, stageId: pathId });

/** Integer id in a body or an answer. */
export const rowId = z.int().min(1).max(maxInteger);

/** {@link rowId} in a query string. */
export const queryId = z.coerce.number().int().min(1).max(maxInteger);

/** A calendar day, `YYYY-MM-DD`. */
export const day = z.iso.date();

/** Free text of a person. */
export const freeText = (maxLength: number) => z.string().max(maxLength);

/** Whose tracker it is: rows are made for, and read as, the caller (S0-63). @throws Problem for a caller who is no person. */
export function ownerOf(actor: Actor): string {
  if (actor.user_id === null) {
    throw new Problem({ code: 'auth.forbidden', detail: 'The tracker belongs to people; a service token has none.' });
  }
  return actor.user_id;
}

/**
 * A change of what is sent: PUT as the document spells it, PATCH as its alias, both with partial semantics (S0-89).
 */
export function changeRoutes<Params, Query, Body>(spec: Omit<RouteSpec<Params, Query, Body>, 'method'>): Route[] {
  return [
    route({ ...spec, method: 'put' }),
    route({ ...spec, method: 'patch', operationId: spec.operationId.replace(/^update/, 'patch') }),
  ];
}

const trackerPosition = z.tuple([
  z.string().regex(/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z)?$/),
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
export function afterCursor(cursor: string | undefined, sortColumn: string, idColumn = 'id') {
  const after = parseCursor(cursor, trackerPosition);
  if (after === null) return sql<boolean>`true`;
  const [time, id] = after;
  const type = sql.raw(time.length === 10 ? 'date' : 'timestamptz');
  return sql<boolean>`(${sql.ref(sortColumn)}, ${sql.ref(idColumn)}) < (${time}::${type}, ${Number(id)}::integer)`;
}
