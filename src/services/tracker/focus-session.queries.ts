import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { latestFirst } from './tracker-page.queries.ts';

/** The columns of a session that are displayed; a row with them is a `FocusRow`. */
export const focusColumns = [
  'id',
  'command_id',
  'user_id',
  'start_time',
  'end_time',
  'duration_minutes',
  'completed',
  'interrupted',
  'notes',
  'due_at',
  'paused_at',
  'paused_ms',
  'ending',
  'actual_minutes',
  'created_at',
] as const;

/** All sessions of a person. */
export function focusSessionsQuery(userId: string) {
  return kysely.selectFrom('admin_focus_sessions').where('user_id', '=', userId).select(focusColumns);
}

/** The session of a person that runs or is paused; there is at most one. */
export function activeFocusSessionQuery(userId: string) {
  return focusSessionsQuery(userId).where('end_time', 'is', null);
}

/** Times between which a session started; RFC 3339, `to` exclusive. */
interface StartedBetween {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** A page of the sessions of a person, latest start first. */
export function focusSessionPageQuery(userId: string, page: Page, { from, to }: StartedBetween) {
  let list = focusSessionsQuery(userId).$call(latestFirst(page, { sort: 'start_time', id: 'id' }));
  if (from !== undefined) list = list.where('start_time', '>=', from);
  if (to !== undefined) list = list.where('start_time', '<', to);
  return list;
}

/** A session that has not ended, of any tenant. */
export interface OpenFocusSession {
  readonly tenant_id: string;
  readonly session_id: number;
  /** Null for one from before commands. */
  readonly command_id: string | null;
  readonly user_id: string;
}

/** The next sessions of all tenants that have not ended, in the order of their ids. */
export function openFocusSessionsQuery(after: number, limit: number) {
  const statement = sql<OpenFocusSession>`select * from focus_sessions_open(${after}::int, ${limit}::int)`;
  return { compile: (): CompiledQuery<OpenFocusSession> => statement.compile(kysely) };
}
