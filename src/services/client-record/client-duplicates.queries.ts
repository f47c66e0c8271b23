import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { clientsQuery } from './client.queries.ts';

/** By what a client can be the same as another one; the strongest first. */
export const duplicateMarks = ['cpf', 'cnpj', 'email', 'phone_number', 'name_and_birth_date'] as const;
export type DuplicateMark = (typeof duplicateMarks)[number];

/** What is known of somebody who may be a client already; what is undefined is not. */
export interface DuplicateProbe {
  readonly name?: string | undefined;
  /** `YYYY-MM-DD` */
  readonly birth_date?: string | undefined;
  /** Lower case. */
  readonly email?: string | undefined;
  /** E.164. */
  readonly phone_number?: string | undefined;
  /** Eleven digits. */
  readonly cpf?: string | undefined;
  /** Fourteen characters. */
  readonly cnpj?: string | undefined;
}

/** So many clients are shown; a switchboard has thousands. */
export const shownMatches = 50;

/** A client that matches, as `c`, what is looked for, as `p`. Each condition is served by an index of its own. */
const conditions: Readonly<Record<DuplicateMark, RawBuilder<boolean>>> = {
  cpf: sql<boolean>`c.cpf = p.cpf`,
  cnpj: sql<boolean>`c.cnpj = p.cnpj`,
  email: sql<boolean>`c.email = p.email`,
  phone_number: sql<boolean>`c.phone_number = p.phone_number`,
  name_and_birth_date: sql<boolean>`c.birth_date = p.birth_date and c.sort_name = p.sort_name`,
};

/** A number says more than all the rest, and among the rest each further mark says more than any single one. */
const weights: Readonly<Record<DuplicateMark, number>> = { cpf: 100, cnpj: 100, email: 13, phone_number: 12, name_and_birth_date: 11 };

const probed = ({ name, birth_date, email, phone_number, cpf, cnpj }: DuplicateProbe) => sql`
  select null::uuid as id, ${cpf ?? null}::char(11) as cpf, ${cnpj ?? null}::char(14) as cnpj, ${email ?? null}::text as email,
    ${phone_number ?? null}::text as phone_number, ${birth_date ?? null}::date as birth_date,
    folded(${name ?? null}::text) collate "C" as sort_name`;

const ofClient = (id: string) =>
  sql`select id, cpf, cnpj, email, phone_number, birth_date, sort_name from clients where id = ${id}::uuid and erased_at is null`;

/** Not the client itself, not those merged into it already, and nothing that was erased. */
const isOther = sql`c.erased_at is null and (p.id is null or (c.id <> p.id and c.merged_into_id is distinct from p.id))`;

/**
 * The clients that match, the strongest first, those that are not deleted before the others. The numbers that are looked for are
 * compared in the database.
 */
function matchesQuery(probe: RawBuilder<unknown>) {
  const found = duplicateMarks.map(
    (mark) => sql`select h.id from p cross join lateral (
      select c.id from clients c where ${conditions[mark]} and ${isOther} limit ${sql.lit(shownMatches + 1)}) h`,
  );
  const marks = duplicateMarks.map((mark) => sql`case when ${conditions[mark]} then ${sql.lit(mark)} end`);
  const weight = duplicateMarks.map((mark) => sql`case when ${conditions[mark]} then ${sql.lit(weights[mark])} else 0 end`);
  return clientsQuery()
    .innerJoin(sql`(${probe})`.as<'p'>(sql.ref('p')), (join) => join.onTrue())
    .where(sql<boolean>`c.id in (with p as materialized (${probe}) ${sql.join(found, sql` union `)})`)
    .select(sql<DuplicateMark[]>`array_remove(array[${sql.join(marks)}], null)`.as('matched_by'))
    .orderBy(sql`${sql.join(weight, sql` + `)}`, 'desc')
    .orderBy(sql`c.deleted_at is not null`)
    .orderBy('c.created_at')
    .orderBy('c.id')
    .limit(shownMatches + 1);
}

type Matched = Awaited<ReturnType<ReturnType<typeof matchesQuery>['executeTakeFirstOrThrow']>>;

function presentMatches(rows: readonly Matched[]) {
  const matches = rows.slice(0, shownMatches).map(({ matched_by, ...client }) => ({ client, matched_by }));
  return { matches, has_more: rows.length > shownMatches };
}

/** The clients that somebody may be, deleted ones included. */
export async function findDuplicates(db: ReadSource, scope: ReadScope, probe: DuplicateProbe) {
  return presentMatches(await read(db, scope, matchesQuery(probed(probe))));
}

/** The clients that may be the same as a client. @throws Problem 404. */
export async function findDuplicatesOf(db: ReadSource, scope: ReadScope, id: string) {
  const client = kysely.selectFrom('clients').where('id', '=', id).select('id');
  const [[found], rows] = await readAll(db, scope, [client, matchesQuery(ofClient(id))] as const);
  if (found === undefined) throw notFound('client');
  return presentMatches(rows);
}
