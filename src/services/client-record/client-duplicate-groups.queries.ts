import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { z } from 'zod';
import { kysely } from '../../entities/kysely-schema.ts';
import { parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { clientsQuery } from './client.queries.ts';

/** What the clients of a group have in common. */
export const groupMarks = ['phone_number', 'email', 'name_and_birth_date'] as const;
export type GroupMark = (typeof groupMarks)[number];

/** So many clients of a group are shown. */
export const shownOfGroup = 10;

/** The columns of an index, in its order, which is the order of the groups. */
const columnsOf: Readonly<Record<GroupMark, readonly (typeof columns)[number][]>> = {
  phone_number: ['phone_number'],
  email: ['email'],
  name_and_birth_date: ['birth_date', 'sort_name'],
};
const columns = ['phone_number', 'email', 'birth_date', 'sort_name'] as const;

/** A client of the last group, and what tells whether it still has what the group had in common. */
const groupPosition = z.tuple([z.string().max(200), z.guid()]);

interface Deps {
  readonly db: ReadSource;
  readonly keyring: Pick<Keyring, 'fingerprint' | 'matchesFingerprint'>;
}

interface GroupRow {
  readonly shared: readonly (string | null)[];
  readonly count: number;
  readonly ids: readonly string[];
}

/**
 * A page of the groups of clients that have a value in common, deleted ones left aside, in the order of the values. A cursor stands
 * in an address, so it names a client of the last group and holds no value.
 *
 * @throws Problem `request.cursor-invalid`, also when that client has got another value since.
 */
export async function listDuplicateGroups({ db, keyring }: Deps, scope: ReadScope, { by, limit, cursor }: Page & { readonly by: GroupMark }) {
  const after = await valuesAfter({ db, keyring }, scope, by, cursor);
  const rows = await read(db, scope, { compile: () => groupsQuery(by, after, limit).compile(kysely) });
  const members = await clientsOf(db, scope, rows.slice(0, limit).flatMap(({ ids }) => ids));
  return toPage(
    rows,
    limit,
    ({ shared, ids }) => [keyring.fingerprint(textOf(shared)), ids[0] ?? ''],
    ({ count, ids }) => {
      const clients = ids.flatMap((id) => members.get(id) ?? []);
      return { shared: sharedOf(by, clients[0]), count, clients };
    },
  );
}

const textOf = (shared: readonly (string | null)[]) => JSON.stringify(shared);

/**
 * The groups are found in an index that has all that decides about them: no row of a client is read before it is known which groups
 * are shown.
 */
function groupsQuery(by: GroupMark, after: readonly (string | null)[] | null, limit: number): RawBuilder<GroupRow> {
  const names = columnsOf[by];
  const list = sql.join(names.map((name) => sql.ref(name)));
  const shared = sql.join(names.map((name) => sql`${sql.ref(name)}::text`));
  const present = sql.join(names.map((name) => sql`${sql.ref(name)} is not null`), sql` and `);
  const behind = after === null ? sql`` : sql` and (${list}) > (${sql.join(after.map((value, at) => sql`${value}::${sql.raw(names[at] === 'birth_date' ? 'date' : 'text')}`))})`;
  const same = sql.join(names.map((name) => sql`${sql.ref(`c.${name}`)} = ${sql.ref(`g.${name}`)}`), sql` and `);
  return sql<GroupRow>`
    select array[${shared}] as shared, count,
      array(select c.id from clients c where c.is_active and ${same} order by c.created_at, c.id limit ${sql.lit(shownOfGroup)}) as ids
    from (
      select ${list}, count(*)::int as count from clients where is_active and ${present}${behind}
      group by ${list} having count(*) > 1 order by ${list} limit ${limit + 1}) g
    order by ${list}`;
}

async function valuesAfter({ db, keyring }: Deps, scope: ReadScope, by: GroupMark, cursor: string | undefined) {
  const position = parseCursor(cursor, groupPosition);
  if (position === null) return null;
  const [fingerprint, id] = position;
  const [row] = await read(db, scope, kysely.selectFrom('clients').where('id', '=', id).select(columns));
  const values = row === undefined ? null : columnsOf[by].map((name) => row[name]);
  if (values !== null && keyring.matchesFingerprint(textOf(values), fingerprint)) return values;
  throw new Problem({ code: 'request.cursor-invalid', detail: 'The last client of the page before has changed. Start again without a cursor.' });
}

async function clientsOf(db: ReadSource, scope: ReadScope, ids: readonly string[]) {
  if (ids.length === 0) return new Map<string, never>();
  const rows = await read(db, scope, clientsQuery().where('c.id', 'in', ids));
  return new Map(rows.map((row) => [row.id, row]));
}

type Shown = Awaited<ReturnType<ReturnType<typeof clientsQuery>['executeTakeFirstOrThrow']>>;

/** What the clients of a group have in common, as one of them has it. */
function sharedOf(by: GroupMark, client: Shown | undefined) {
  if (by === 'name_and_birth_date') return { name: client?.name ?? null, birth_date: client?.birth_date ?? null };
  return { [by]: client?.[by] ?? null };
}
