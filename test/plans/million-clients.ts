import type { Client } from 'pg';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { withoutIndexes } from '../support/without-indexes.ts';

const million = 1_000_000;

/** The n-th id, in the order of the rows: a million random ones would be spread over the whole index while they are inserted. */
const nthId = (n: string) => `('10000000-0000-4000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** The client of a row: all of them in turn, in an order that has nothing to do with that of the rows. */
const clientOf = (n: string) => nthId(`1 + (${n}) * 7919 % ${million}`);

/** The client that many requests and merges are of. */
export const busyClient = '10000000-0000-4000-8000-000000000005';
/** So many of the busy client, or of one person, or in any other state that is rare: a page and a half of twenty. */
export const few = 30;

/** Fills behind every policy and constraint between tables, without waiting for the disk. */
export async function prepareFill(db: Client): Promise<void> {
  await db.query("set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '256MB'; set jit = off");
}

/**
 * A million clients. The n-th name of a list comes about n times less often than the first, as names do: one client in six is a
 * Maria, one in seven a Silva. One in a thousand is a company or is deleted. None shares an e-mail or a phone number; some hundreds
 * share name and birth date.
 */
export async function fillClients(db: Client): Promise<void> {
  const first = ['Maria', 'José', 'Ana', 'João', 'Antônio', 'Francisco', 'Carlos', 'Paulo', 'Pedro', 'Lucas', 'Luiz', 'Marcos'];
  const last = ['Silva', 'Santos', 'Oliveira', 'Souza', 'Rodrigues', 'Ferreira', 'Alves', 'Pereira', 'Lima', 'Gomes', 'Ribeiro'];
  const names = (known: string[], ending: string) => [...known, ...Array.from({ length: 400 }, (_, n) => `${ending}${n.toString(26)}`)];
  await db.query(`create function pg_temp.skewed(list text[], n bigint) returns text language sql immutable
    return list[1 + floor(exp(ln(cardinality(list)) * (n % 100003) / 100003.0) - 1)::int]`);
  await withoutIndexes(db, ['clients', 'client_name_words'], async () => {
    await db.query(
      `insert into clients (id, tenant_id, kind, name, birth_date, email, phone_number, created_at, deleted_at)
       select ${nthId('n')}, $1, case when n % 1000 = 1 then 'company' else 'person' end,
         case n when 7 then 'Zacarias Ümlaut' else pg_temp.skewed($2, n * 7919) || ' ' || pg_temp.skewed($3, n * 104729) || ' ' || pg_temp.skewed($3, n * 15485863) end,
         case when n % 1000 <> 1 then date '1940-01-01' + (n % 25000)::int end,
         'c' || n || '@people.example', '+55119' || lpad(n::text, 8, '0'), timestamptz '2026-01-01' + n * interval '1 second',
         case when n % 1000 = 2 then now() end
       from generate_series(1::bigint, ${million}) n`,
      [defaultTenantId, names(first, 'Xan'), names(last, 'Yol')],
    );
    await db.query(`insert into client_name_words (tenant_id, is_deleted, word, name, client_id, kind)
      select tenant_id, deleted_at is not null, word, sort_name, id, kind from clients cross join lateral unnest(name_words(name)) word
      order by word, sort_name, id`);
  });
  await db.query('vacuum (analyze) clients, client_name_words');
}

/**
 * A million requests of clients, by their due dates. Those that are open are the last: twenty thousand past the due date, and some
 * that are not yet. Erasures came late, and none was ever refused; of the others a tenth was.
 */
export async function fillDataRequests(db: Client): Promise<void> {
  const overdue = 20_000;
  await withoutIndexes(db, ['client_data_requests'], async () => {
    await db.query(
      `insert into client_data_requests (tenant_id, client_id, kind, status, received_on, due_on, reminder_days, fulfilled_at)
       select $1, case when n <= ${few} then '${busyClient}' else ${clientOf('n')} end, kind, status, due_on - 15, due_on, '{5,1}',
         case when status = 'fulfilled' then due_on end
       from generate_series(1::bigint, ${million}) n,
         lateral (select case when n > ${million * 0.9} and n % 2 = 0 then 'erasure' else 'access' end as kind) k,
         lateral (select case when n > ${million - overdue - few} then 'open'
           when n = 2 then 'withdrawn'
           when kind = 'access' and n % 10 = 1 then 'refused'
           else 'fulfilled' end as status) s,
         lateral (select case when n > ${million - few} then current_date + 7
           else current_date - 2 - ((${million} - n) / 1000)::int end as due_on) d`,
      [defaultTenantId],
    );
  });
  await db.query('vacuum (analyze) client_data_requests');
}

/** A million merges, of which all but the last can not be undone any more. */
export async function fillMerges(db: Client): Promise<void> {
  await withoutIndexes(db, ['client_merges'], async () => {
    await db.query(
      `insert into client_merges (tenant_id, client_id, merged_id, taken_fields, moved, values_cleared_at, created_at, undo_until)
       select $1, case when n <= ${few} then '${busyClient}' else ${clientOf('n + 1')} end, ${clientOf('n')}, '{}', '{}', now(), at, at + interval '30 days'
       from generate_series(1::bigint, ${million}) n,
         lateral (select date_trunc('second', now()) - case when n > ${million - few} then interval '1 hour' else interval '31 days' end
           - (${million} - n) * interval '1 second' as at) a`,
      [defaultTenantId],
    );
  });
  await db.query('vacuum (analyze) client_merges');
}

/** A million approved exports of somebody else; those of one person are the oldest. */
export async function fillExports(db: Client, requester: string): Promise<void> {
  await withoutIndexes(db, ['client_exports'], async () => {
    await db.query(
      `insert into client_exports (tenant_id, filters, reason, requested_by, approval_id, created_at, expires_at)
       select $1, '{}', 'a test', case when n <= ${few} then $2 else ${nthId('1 + n % 50')} end, ${nthId('n')}, at, at + interval '1 day'
       from generate_series(1::bigint, ${million}) n, lateral (select timestamptz '2025-01-01' + n * interval '1 second' as at) a`,
      [defaultTenantId, requester],
    );
  });
  await db.query('vacuum (analyze) client_exports');
}
