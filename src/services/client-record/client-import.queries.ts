import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ClientValues } from './client.payload.ts';

/** Who has a number: a client, a deleted one, or an earlier row of the same file. */
export type NumberOwner = 'client' | 'deleted' | 'file';

/** The number that no other client of the tenant may have; a CPF and a CNPJ are never the same text. */
export function numberOf({ cpf, cnpj }: Pick<ClientValues, 'cpf' | 'cnpj'>): string | null {
  return cpf ?? cnpj;
}

/**
 * Which of the numbers clients of the tenant have, deleted ones included (S4-20).
 *
 * @param importId clients that came with it are of the same file.
 */
export async function numberOwners(
  tx: Tx,
  rows: readonly Pick<ClientValues, 'cpf' | 'cnpj'>[],
  importId: string,
): Promise<Map<string, NumberOwner>> {
  // Joined, and not compared with a list: a list is gone through for every client where a plan does not look it up in the index.
  const having = (column: 'cpf' | 'cnpj') => sql<{ number: string; owner: NumberOwner }>`
    select c.${sql.ref(column)} as number,
      case when c.import_id = ${importId}::uuid then 'file' when c.deleted_at is null then 'client' else 'deleted' end as owner
    from unnest(${rows.flatMap((row) => row[column] ?? [])}::bpchar[]) as n (number)
    join clients c on c.tenant_id = ${tx.actor.tenant_id}::uuid and c.${sql.ref(column)} = n.number`;
  const query = sql<{ number: string; owner: NumberOwner }>`${having('cpf')} union all ${having('cnpj')}`;
  const found = await read(tx, tx.actor, { compile: () => query.compile(kysely) });
  return new Map(found.map(({ number, owner: whose }) => [number, whose]));
}
