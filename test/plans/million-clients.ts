import type { Client } from 'pg';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { withoutIndexes } from '../support/without-indexes.ts';

const million = 1_000_000;

/** The n-th id, in the order of the rows: a million random ones would be spread over the whole index while they are inserted. */
const nthId = (n: string) => `('10000000-0000-4000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

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
