import { CompiledQuery } from 'kysely';
import { read } from '../../platform/database/read.ts';
import type { ActivityDeps } from '../deps.ts';

/** Ids of audit chains in order, a page at a time, beginning behind the chain `after`. */
export async function chainsAfter(
  { db }: Pick<ActivityDeps, 'db'>,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const text = 'select chain_id from audit_chains($1, $2)';
  const page = { compile: () => CompiledQuery.raw(text, [after, limit]) as CompiledQuery<{ chain_id: string }> };
  return (await read(db, { tenant_id: '', user_id: null }, page)).map(({ chain_id }) => chain_id);
}
