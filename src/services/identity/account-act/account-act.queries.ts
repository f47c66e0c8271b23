import { sql } from 'kysely';
import type { Expression } from 'kysely';
import type { OpenAct } from '../../../domain/approval/independence.ts';
import { Independence } from '../../../domain/approval/independence.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';

/** True for an act `a` that is open. */
export const isOpenAct = sql<boolean>`(a.closed_at is null and (a.closes_at is null or a.closes_at > clock_timestamp()))`;

/** {@link actsBehind} as a query of its own. */
export function actsBehindQuery(userIds: readonly string[], also?: Expression<{ user_id: string }>) {
  const statement = actsBehind(userIds, also);
  return { compile: () => statement.compile(kysely) };
}

/**
 * The open acts on some accounts and on everybody who stands behind them: what {@link Independence} is made of.
 *
 * @param also a query of further accounts, by their ids.
 */
export function actsBehind(userIds: readonly string[], also?: Expression<{ user_id: string }>) {
  // Few stand behind anybody, which the planner cannot know: `offset 0` keeps it from reading the acts on everybody.
  return sql<OpenAct>`${behind(userIds, also)}
    select a.id, a.target_id, a.actor_id, a.kind, a.created_at, a.closes_at
    from behind b
    cross join lateral (select * from account_acts a where a.target_id = b.id and ${isOpenAct} offset 0) a
    order by a.created_at desc, a.id`;
}

/** The names of some people and of everybody who stands behind them. */
export function namesBehindQuery(userIds: readonly string[], also?: Expression<{ user_id: string }>) {
  const statement = sql<{ id: string; full_name: string }>`${behind(userIds, also)}
    select u.id, u.full_name from behind b join users u on u.id = b.id`;
  return { compile: () => statement.compile(kysely) };
}

/** The ids of some people and of everybody who stands behind them. */
export function idsBehindQuery(userIds: readonly string[], also?: Expression<{ user_id: string }>) {
  const statement = sql<{ id: string }>`${behind(userIds, also)} select id from behind`;
  return { compile: () => statement.compile(kysely) };
}

/** The head of a statement: the relation `behind` holds some accounts and everybody who stands behind them. */
function behind(userIds: readonly string[], also?: Expression<{ user_id: string }>) {
  return sql`
    with recursive behind (id) as (
      (select unnest(${[...new Set(userIds)]}::uuid[]) ${also === undefined ? sql`` : sql`union ${also}`})
      union
      select a.actor_id from behind b join account_acts a on a.target_id = b.id where ${isOpenAct}
    )`;
}

/** Who stands behind some accounts now. */
export async function independenceOf(
  db: ReadSource,
  scope: ReadScope,
  userIds: readonly string[],
): Promise<Independence> {
  return new Independence(await read(db, scope, actsBehindQuery(userIds)));
}

function actsWithNames() {
  return kysely
    .selectFrom('account_acts as a')
    .innerJoin('users as t', 't.id', 'a.target_id')
    .innerJoin('users as u', 'u.id', 'a.actor_id')
    .leftJoin('users as c', 'c.id', 'a.closed_by')
    .select(['a.id', 'a.kind', 'a.detail', 'a.approval_id', 'a.closes_at', 'a.closed_at', 'a.close_reason', 'a.created_at'])
    .select(['a.target_id', 't.full_name as target_name', 'a.actor_id', 'u.full_name as actor_name'])
    .select(['a.closed_by', 'c.full_name as closed_by_name', isOpenAct.as('is_open')]);
}

/** What was done to accounts, newest first. */
export function accountActsQuery(
  filter: { readonly user_id?: string | undefined; readonly actor_id?: string | undefined; readonly state?: 'open' | 'closed' | undefined },
  page: Page,
) {
  const { user_id, actor_id, state } = filter;
  return actsWithNames()
    .where((eb) => eb.and({ 'a.target_id': user_id, 'a.actor_id': actor_id }))
    .$if(state === 'open', (q) => q.where(isOpenAct))
    .$if(state === 'closed', (q) => q.where(sql<boolean>`not ${isOpenAct}`))
    .$call(newestFirst(page, { time: 'a.created_at', id: 'a.id' }));
}

/** The ids of the open acts on an account. */
export function openActIdsQuery(userId: string) {
  return kysely.selectFrom('account_acts as a').where('a.target_id', '=', userId).where(isOpenAct).select('a.id');
}
