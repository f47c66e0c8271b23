import { kysely } from '../../entities/kysely-schema.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections, ReadScope } from '../../platform/database/read.ts';

/** The scope that a chain is read in: a session sees the chain that its tenant setting names. */
export function chainScope(chainId: string): ReadScope {
  return { tenant_id: chainId, user_id: null };
}

/** The scope of the SQL functions that list the chains of all tenants: they read no setting. */
export const allChains: ReadScope = { tenant_id: '', user_id: null };

/** Ids of audit chains in order, a page at a time, beginning behind the chain `after`. */
export async function chainsAfter(db: ReadConnections, after: string | null, limit: number): Promise<string[]> {
  const page = rawQuery<{ chain_id: string }>('select chain_id from audit_chains($1, $2)', [after, limit]);
  return (await read(db, allChains, page)).map(({ chain_id }) => chain_id);
}

/** Number of rows in a chain, as its head counts them. */
export async function chainSize(db: ReadConnections, chainId: string): Promise<number> {
  const heads = kysely.selectFrom('audit_heads').where('chain_id', '=', chainId).select('size');
  const [head] = await read(db, chainScope(chainId), heads);
  return head?.size ?? 0;
}

/** The end of the rows that were archived and dropped. */
interface DroppedEnd {
  /** Sequence number of the last one. */
  readonly to_seq: number;
  /** When it was recorded, RFC 3339. */
  readonly recorded_until: string;
}

/** Where the rows of a chain begin that are still there; null when none was dropped. */
export async function droppedEnd(db: ReadConnections, chainId: string): Promise<DroppedEnd | null> {
  const newest = kysely
    .selectFrom('audit_segments')
    .where('chain_id', '=', chainId)
    .orderBy('to_seq', 'desc')
    .limit(1)
    .select(['to_seq', 'recorded_until']);
  const [segment] = await read(db, chainScope(chainId), newest);
  return segment ?? null;
}
