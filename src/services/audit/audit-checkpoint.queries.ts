import { kysely } from '../../entities/kysely-schema.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import { allChains, chainScope } from './audit-chain.queries.ts';

/** A signed state of a chain as it is stored. */
export interface Checkpoint {
  readonly chain_id: string;
  /** Rows that it covers. */
  readonly size: number;
  readonly root_hash: Buffer;
  readonly chain_hash: Buffer;
  /** The signed note (C2SP tlog-checkpoint). */
  readonly note: string;
  readonly frontier: readonly Buffer[];
  readonly created_at: string;
}

const selectCheckpoint = `select chain_id, size, root_hash, chain_hash, note, frontier, created_at
  from audit_checkpoints where chain_id = $1`;

/** The newest checkpoint of a chain; no row when it has none yet. */
export function latestCheckpointQuery(chainId: string) {
  return rawQuery<Checkpoint>(`${selectCheckpoint} order by size desc limit 1`, [chainId]);
}

/** The newest checkpoint of a chain; null when it has none yet. */
export async function latestCheckpoint(db: ReadConnections, chainId: string): Promise<Checkpoint | null> {
  const [latest] = await read(db, chainScope(chainId), latestCheckpointQuery(chainId));
  return latest ?? null;
}

/** Chains that have grown since their last checkpoint, by id, a page at a time. */
export function dueChains(
  db: ReadConnections,
  after: string | null,
  limit: number,
): Promise<{ chain_id: string; size: number }[]> {
  const text = 'select chain_id, size from audit_chains_due($1, $2)';
  return read(db, allChains, rawQuery(text, [after, limit]));
}

/** Notes of a chain with more rows than `size`, oldest first. */
export async function notesSince(db: ReadConnections, chainId: string, size: number): Promise<string[]> {
  const text = 'select note from audit_checkpoints where chain_id = $1 and size > $2 order by size limit 1000';
  const rows = await read(db, chainScope(chainId), rawQuery<{ note: string }>(text, [chainId, size]));
  return rows.map(({ note }) => note);
}

/** Checkpoints of a chain, the one of the most rows first; those of fewer rows than `before` where that is given. */
export function checkpointsQuery(chainId: string, before: number | null) {
  return kysely
    .selectFrom('audit_checkpoints')
    .where('chain_id', '=', chainId)
    .$call((q) => (before === null ? q : q.where('size', '<', before)))
    .orderBy('size', 'desc')
    .select(['chain_id', 'size', 'root_hash', 'note', 'created_at']);
}
