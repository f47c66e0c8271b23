import { sql } from 'kysely';
import { systemActor } from '../../domain/shared/actor.ts';
import { ChainVerifier } from '../../domain/audit/audit-chain.ts';
import type { ChainPosition, ChainReport, ChainRow } from '../../domain/audit/audit-chain.ts';
import type { Subtree } from '../../domain/audit/audit-merkle.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';
import { chainScope } from './audit-chain.queries.ts';
import { latestCheckpoint, latestCheckpointQuery } from './audit-checkpoint.queries.ts';
import type { Checkpoint } from './audit-checkpoint.queries.ts';
import { isKeptLevel } from './audit-tree.queries.ts';
import type { Database } from '../../platform/database/database.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';

/** The chain does not verify behind its last checkpoint, so nothing was signed. */
export class BrokenChainError extends Error {
  override readonly name = 'BrokenChainError';
  readonly report: ChainReport;

  constructor(report: ChainReport) {
    const [finding] = report.findings;
    super(`Audit chain ${report.chain_id} is damaged at ${finding?.seq ?? 0}: ${finding?.detail ?? 'unknown'}`);
    this.report = report;
  }
}

/** Rows that are read at a time: a few hundred kilobytes. */
const batchRows = 1_000;

/**
 * Signs the present state of a chain. Only the rows since the last checkpoint are read, and only what verifies is
 * signed. This is the one writer of checkpoints and tree nodes; two at once write the same or one after the other.
 *
 * @returns the newest checkpoint, or null when the chain is empty
 * @throws BrokenChainError when the new rows do not follow from the last checkpoint
 */
export async function takeCheckpoint(
  db: Database,
  signer: CheckpointSigner,
  chainId: string,
): Promise<Checkpoint | null> {
  const headQuery = rawQuery<{ size: number; chain_hash: Buffer }>(
    'select size, chain_hash from audit_heads where chain_id = $1',
    [chainId],
  );
  const [[head], [latest]] = await readAll(db, chainScope(chainId), [headQuery, latestCheckpointQuery(chainId)] as const);
  if (head === undefined && latest === undefined) return null;
  // A head that is gone, or counts fewer rows than were signed, is found to be damaged below.
  if (latest !== undefined && latest.size === head?.size) return latest;
  await sealRows(db, signer, chainId, { from: latest, upTo: head?.size ?? 0, head: head ?? null });
  return latestCheckpoint(db, chainId);
}

interface RowsToSeal {
  /** Where to go on; the beginning of the chain without. */
  readonly from: Checkpoint | undefined;
  readonly upTo: number;
  /** What the head row says; null where there is none. */
  readonly head: { size: number; chain_hash: Uint8Array } | null;
}

async function sealRows(
  db: Database,
  signer: CheckpointSigner,
  chainId: string,
  { from, upTo, head }: RowsToSeal,
): Promise<void> {
  const nodes: { subtree: Subtree; hash: Uint8Array }[] = [];
  const verifier = new ChainVerifier(sha256, chainId, {
    from: from === undefined ? undefined : positionOf(from),
    onSubtree: (subtree, hash) => {
      // Copied, because a hash is a view into Node's shared pool and would keep 64 KB of it alive.
      if (isKeptLevel(subtree.level)) nodes.push({ subtree, hash: Uint8Array.from(hash) });
    },
  });
  for await (const row of rowsBetween(db, chainId, from?.size ?? 0, upTo)) verifier.add(row);
  const report = verifier.finish(head);
  if (report.state === 'damaged' || report.size < upTo) throw new BrokenChainError(report);

  const { size, root_hash, chain_hash } = report;
  const note = signer.sign({ origin: originOfChain(chainId), size, root_hash });
  const { frontier } = verifier.position();
  await unitOfWork(db, systemActor(chainId), async (tx) => {
    await sql`insert into audit_tree_nodes (chain_id, level, index, hash)
      select ${chainId}, * from unnest(
        ${nodes.map(({ subtree }) => subtree.level)}::smallint[],
        ${nodes.map(({ subtree }) => subtree.index)}::bigint[],
        ${nodes.map(({ hash }) => hash)}::bytea[])
      on conflict do nothing`.execute(tx.sql);
    await sql`insert into audit_checkpoints (chain_id, size, root_hash, chain_hash, note, frontier)
      values (${chainId}, ${size}, ${root_hash}, ${chain_hash}, ${note}, ${frontier.hashes}::bytea[])
      on conflict do nothing`.execute(tx.sql);
  });
}

function positionOf(checkpoint: Checkpoint): ChainPosition {
  return { frontier: { size: checkpoint.size, hashes: checkpoint.frontier }, chain_hash: checkpoint.chain_hash };
}

interface StoredRow {
  readonly seq: number;
  readonly recorded_at_ms: number;
  readonly entry: string;
  readonly private: string | null;
  readonly entry_hash: Buffer;
  readonly chain_hash: Buffer;
}

async function* rowsBetween(db: Database, chainId: string, after: number, upTo: number): AsyncGenerator<ChainRow> {
  const text = `select seq, (extract(epoch from recorded_at) * 1000)::bigint as recorded_at_ms, entry::text as entry,
      private::text as private, entry_hash, chain_hash
    from audit_logs where chain_id = $1 and seq > $2 and seq <= $3 order by seq limit ${batchRows}`;
  for (let last = after; last < upTo; ) {
    const rows = await read(db, chainScope(chainId), rawQuery<StoredRow>(text, [chainId, last, upTo]));
    for (const row of rows) {
      yield { ...row, entry: Buffer.from(row.entry), private: row.private === null ? null : Buffer.from(row.private) };
    }
    const end = rows.at(-1);
    if (end === undefined) return;
    last = end.seq;
  }
}
