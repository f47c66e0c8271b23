import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { z } from 'zod';
import type { ClientKind } from '../../domain/client-record/client.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { namePosition, parseCursor, timePosition, toPage } from '../../platform/database/keyset-page.ts';
import type { Page, Position } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { rarestFirst, wordHits, wordPosition } from './client-search.queries.ts';

/** Which clients a list holds; what is undefined does not narrow it. */
export interface ClientFilter {
  /** Beginnings of words of the name, in any order, without case and accents. */
  readonly q?: string | undefined;
  readonly kind?: ClientKind | undefined;
  /** Default: those that are not deleted. */
  readonly state?: 'active' | 'deleted' | undefined;
  readonly created_by?: string | undefined;
  /** RFC 3339; at or after. */
  readonly created_from?: string | undefined;
  /** RFC 3339; before. */
  readonly created_to?: string | undefined;
  /** Eleven digits. */
  readonly cpf?: string | undefined;
  /** Fourteen characters. */
  readonly cnpj?: string | undefined;
  /** Lower case. */
  readonly email?: string | undefined;
  /** E.164. */
  readonly phone_number?: string | undefined;
  /** `YYYY-MM-DD` */
  readonly birth_date?: string | undefined;
  /** False leaves out those that were erased, of which nothing but an id is left. */
  readonly erased?: false | undefined;
}

/** What a list is ordered by; a search by words has an order of its own, that of the words found and of the names. */
export const clientSorts = ['newest', 'name'] as const;
export type ClientSort = (typeof clientSorts)[number];

/** More than these are not counted. */
export const countedAtMost = 10_000;

/** Masked in the database, so that a full number never reaches this process for a list or a detail. */
export const shownCpf = sql<string | null>`'***.' || substr(c.cpf, 4, 3) || '.' || substr(c.cpf, 7, 3) || '-**'`;

/** The conditions on a row `c` that a search by words does not have itself. */
function furtherConditions(filter: ClientFilter): RawBuilder<unknown>[] {
  const { created_by, created_from, created_to, cpf, cnpj, email, phone_number, birth_date } = filter;
  return [
    ...(created_by === undefined ? [] : [sql`c.created_by = ${created_by}::uuid`]),
    ...(created_from === undefined ? [] : [sql`c.created_at >= ${created_from}::timestamptz`]),
    ...(created_to === undefined ? [] : [sql`c.created_at < ${created_to}::timestamptz`]),
    ...(cpf === undefined ? [] : [sql`c.cpf = ${cpf}::char(11)`]),
    ...(cnpj === undefined ? [] : [sql`c.cnpj = ${cnpj}::char(14)`]),
    ...(email === undefined ? [] : [sql`c.email = ${email}`]),
    ...(phone_number === undefined ? [] : [sql`c.phone_number = ${phone_number}`]),
    ...(birth_date === undefined ? [] : [sql`c.birth_date = ${birth_date}::date`]),
    ...(filter.erased === undefined ? [] : [sql`c.erased_at is null`]),
  ];
}

/** The condition on a row `c`. Kind and state are literals, so that a plan knows which index fits. */
function matches(filter: ClientFilter): RawBuilder<boolean> {
  const { kind, state = 'active' } = filter;
  return and([
    state === 'active' ? sql`c.deleted_at is null` : sql`c.deleted_at is not null`,
    ...(kind === undefined ? [] : [sql`c.kind = ${sql.lit(kind)}`]),
    ...furtherConditions(filter),
  ]);
}

function and(conditions: readonly RawBuilder<unknown>[]): RawBuilder<boolean> {
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}

/** Clients as they are shown, with the name of who made them; `c` is the row of `clients`. */
export function clientsQuery() {
  return kysely
    .selectFrom('clients as c')
    .leftJoin('users as u', 'u.id', 'c.created_by')
    .select(['c.id', 'c.kind', 'c.name', shownCpf.as('cpf'), 'c.cnpj', 'c.birth_date', 'c.email', 'c.phone_number', 'c.address'])
    .select(['c.contact_id', 'c.prospect_id', 'c.merged_into_id', 'c.created_by', 'u.full_name as created_by_name'])
    .select(['c.created_at', 'c.updated_at', 'c.deleted_at', 'c.erased_at', 'c.is_active', 'c.version']);
}

/** The names of the filters that were used, for the audit, which keeps no value of them. */
export function filterNames(filter: object): string[] {
  return Object.entries(filter)
    .flatMap(([name, value]) => (value === undefined ? [] : [name]))
    .toSorted();
}

/** What was asked of a list. */
export interface ClientListing extends ClientFilter, Page {
  readonly sort?: ClientSort | undefined;
  readonly count?: boolean | undefined;
}

const searchPosition = z.tuple([z.string().max(300), z.guid()]);

/**
 * A page of clients and, where it is asked for, how many there are.
 *
 * @throws Problem `request.cursor-invalid`.
 */
export async function listClients(db: ReadSource, scope: ReadScope, listing: ClientListing) {
  const { limit, count = false } = listing;
  const words = listing.q === undefined ? undefined : rarestFirst(await read(db, scope, wordHits(listing.q, listing.state === 'deleted')));
  const rows = await read(db, scope, pageQuery(listing, words));
  const body = toPage(rows, limit, positionOf, ({ position: _position, ...row }) => row);
  return count ? { ...body, total: await countClients(db, scope, listing, words) } : body;
}

/** How many clients match, exactly up to {@link countedAtMost}. @param words of `q`, which were looked up already. */
export async function countClients(db: ReadSource, scope: ReadScope, filter: ClientFilter, words?: readonly string[]) {
  const counting = sql<{ count: number }>`select count(*)::int as count from (${matching(filter, words)} limit ${countedAtMost + 1}) counted`;
  const [counted] = await read(db, scope, { compile: () => counting.compile(kysely) });
  const found = counted?.count ?? 0;
  return { count: Math.min(found, countedAtMost), is_exact: found <= countedAtMost };
}

/** A row of any clients that match, to be counted. */
function matching(filter: ClientFilter, words: readonly string[] | undefined): RawBuilder<unknown> {
  if (words === undefined) return sql`select from clients c where ${matches(filter)}`;
  if (furtherConditions(filter).length === 0) return sql`select from client_name_words w where ${hasWords(words, filter)}`;
  return sql`select from client_name_words w join clients c on c.tenant_id = w.tenant_id and c.id = w.client_id
    where ${hasWords(words, filter)} and ${and(furtherConditions(filter))}`;
}

/** Above every text that begins with a word, in the order of bytes. */
const behindAll = sql.lit('\u{10ffff}');

/**
 * The condition of the words on a row `w`: it is found by the rarest, looked for in an index, and has the others in its name. A client
 * two of whose words begin with the first is found once.
 */
function hasWords([first, ...others]: readonly string[], { kind, state }: ClientFilter): RawBuilder<boolean> {
  if (first === undefined) return sql<boolean>`false`;
  const isFirst = (word: RawBuilder<unknown>) => sql<boolean>`${word} >= ${first} and ${word} < ${first} || ${behindAll}`;
  const inName = others.map((other) => sql` and position(' ' || ${other} in ' ' || w.name) > 0`);
  const ofKind = kind === undefined ? sql`` : sql`and w.kind = ${sql.lit(kind)}`;
  return sql<boolean>`(w.is_deleted = ${sql.lit(state === 'deleted')} ${ofKind} and ${isFirst(sql`w.word`)} ${sql.join(inName, sql``)}
    and w.word = (select min(t.word) from string_to_table(w.name, ' ') as t (word) where ${isFirst(sql`t.word`)}))`;
}

const positionOf = ({ position, id }: { readonly position: string; readonly id: string }): Position => [position, id];

/** The query of a page; `position` says where in its order a row stands. */
function pageQuery({ limit, cursor, sort = 'newest', ...filter }: ClientListing, words: readonly string[] | undefined) {
  if (words !== undefined) {
    const after = parseCursor(cursor, searchPosition);
    const [word, name] = after === null ? [] : wordPosition(after[0]);
    const found = clientsQuery()
      .where(and(furtherConditions(filter)))
      .limit(limit + 1)
      .innerJoin('client_name_words as w', (join) => join.onRef('w.client_id', '=', 'c.id').onRef('w.tenant_id', '=', 'c.tenant_id'))
      .where(hasWords(words, filter))
      .$if(after !== null, (page) => page.where(sql<boolean>`(w.word, w.name, w.client_id) > (${word}, ${name}, ${after?.[1]}::uuid)`))
      .orderBy('w.word')
      .orderBy('w.name')
      .orderBy('w.client_id')
      .select(sql<string>`w.word || ' ' || w.name`.as('position'));
    return found;
  }
  const list = clientsQuery().where(matches(filter)).limit(limit + 1);
  if (sort === 'name') {
    const after = parseCursor(cursor, namePosition);
    const byName = list
      .$if(after !== null, (page) => page.where(sql<boolean>`(c.sort_name, c.id) > (${after?.[0]}, ${after?.[1]}::uuid)`))
      .orderBy('c.sort_name')
      .orderBy('c.id')
      .select('c.sort_name as position');
    return byName;
  }
  const after = parseCursor(cursor, timePosition);
  const newest = list
    .$if(after !== null, (page) => page.where(sql<boolean>`(c.created_at, c.id) < (${after?.[0]}::timestamptz, ${after?.[1]}::uuid)`))
    .orderBy('c.created_at', 'desc')
    .orderBy('c.id', 'desc')
    .select('c.created_at as position');
  return newest;
}

/** One client as it is shown, deleted ones included. @throws Problem 404. */
export async function loadClient(db: ReadSource, scope: ReadScope, id: string) {
  const [client] = await read(db, scope, clientsQuery().where('c.id', '=', id));
  if (client === undefined) throw notFound('client');
  return client;
}
