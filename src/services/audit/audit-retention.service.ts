import { systemActor } from '../../domain/shared/actor.ts';
import type { AnchorSource } from '../../domain/audit/audit-retention.ts';
import { sealEntry } from '../../platform/audit/audit-append.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import type { Logger } from '../../platform/observability/logger.ts';
import { writeArchive } from './audit-archive.ts';
import type { Anchor, Archive } from './audit-archive.ts';
import { chainScope, chainsAfter } from './audit-chain.queries.ts';
import { verifyChain } from './audit-chain-verification.service.ts';
import { nextSegment } from './audit-retention.queries.ts';
import type { SegmentPlan } from './audit-retention.queries.ts';
import { outsideNotes } from './outside-checkpoints.ts';
import type { OutsidePlaces } from './outside-checkpoints.ts';
import { openCheckpoint, originOfChain } from './signed-note.ts';
import type { CheckpointVerifier } from './signed-note.ts';

/** What archiving and dropping need. The connections are those of the retention's own role. */
export interface RetentionTools {
  readonly db: ReadConnections;
  /** Address of the same database, for the stream of a verification. */
  readonly url: string;
  readonly log: Logger;
  /** Root of the archives (`AUDIT_ARCHIVE_DIR`). */
  readonly folder: string;
  /** Where checkpoints are read that the database's writers cannot replace. */
  readonly places: OutsidePlaces;
  /** The public keys of checkpoints, which were given to this process and not read from the database. */
  readonly verifiers: (origin: string) => CheckpointVerifier[];
}

/** Rows are due, and nothing from outside the database proves what they are. Nothing was dropped. */
export class RetentionRefusedError extends Error {
  override readonly name = 'RetentionRefusedError';
}

/** Chains in one page. */
const pageSize = 50;

/** The result of a run. */
interface RetentionResult {
  /** Segments that were archived and dropped. */
  readonly dropped: number;
  /** Chains of which something is due that could not be dropped, each with the reason; the others were worked on. */
  readonly failed: readonly { readonly chain_id: string; readonly reason: string }[];
}

/**
 * Archives and drops what is due in every chain. One chain after the other; one that fails does not keep the others. Safe
 * to repeat and to kill at any point: a segment is either whole in the database, or archived and recorded as dropped.
 *
 * @throws the signal's reason when it is aborted between two segments
 */
export async function dropDueSegments(tools: RetentionTools, signal: AbortSignal): Promise<RetentionResult> {
  const failed: { chain_id: string; reason: string }[] = [];
  let dropped = 0;
  let after: string | null = null;
  do {
    const chains: string[] = await chainsAfter(tools.db, after, pageSize);
    for (const chainId of chains) {
      try {
        dropped += await dropSegmentsOf(tools, chainId, signal);
      } catch (error) {
        signal.throwIfAborted();
        tools.log.error({ err: error, chain_id: chainId }, 'an audit chain could not be archived');
        failed.push({ chain_id: chainId, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    after = chains.length < pageSize ? null : (chains.at(-1) ?? null);
  } while (after !== null);
  return { dropped, failed };
}

/** @returns how many segments of the chain were dropped. */
async function dropSegmentsOf(tools: RetentionTools, chainId: string, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  // Most chains have nothing to drop on most days, and are not verified for it.
  if ((await nextSegment(tools.db, chainId)) === null) return 0;
  const anchor = await provenAnchor(tools, chainId);
  for (let dropped = 0; ; dropped += 1) {
    signal.throwIfAborted();
    const plan = await nextSegment(tools.db, chainId, anchor.size);
    if (plan === null) {
      if (dropped > 0) return dropped;
      throw new RetentionRefusedError(`The checkpoints from outside cover ${anchor.size} entries, which is less than a segment.`);
    }
    const archive = await dropSegment(tools, plan, anchor);
    tools.log.info({ ...plan, archive_name: archive.name }, 'an audit segment was archived and dropped');
  }
}

/**
 * The greatest checkpoint from outside that the chain was found to agree with.
 *
 * @throws RetentionRefusedError when the chain is damaged, which has to be looked into while the rows are there, or when
 *   there is no checkpoint from outside
 */
async function provenAnchor(
  { url, places, verifiers }: RetentionTools,
  chainId: string,
): Promise<Anchor & { readonly source: AnchorSource }> {
  const keys = verifiers(originOfChain(chainId));
  const notes = await outsideNotes(places, chainId);
  const { state, anchored_size, findings } = await verifyChain(url, chainId, {
    verifiers: keys,
    notes: notes.map(({ note }) => note),
  });
  if (state === 'damaged') {
    throw new RetentionRefusedError(`The chain does not verify: ${findings[0]?.detail ?? 'unknown'}.`);
  }
  const anchor = notes.findLast(({ note }) => openCheckpoint(note, keys)?.size === anchored_size);
  if (anchored_size === null || anchor === undefined) {
    throw new RetentionRefusedError('There is no signed checkpoint of the chain outside the database.');
  }
  return { size: anchored_size, ...anchor };
}

/**
 * Archives a segment and drops its rows: the archive is written, read back and verified, and only then the rows are
 * deleted, together with recording the segment and the chained entry that names the archive.
 *
 * @throws Error when the archive does not verify, the database's error when it refuses
 */
export async function dropSegment(
  { db, folder, verifiers }: Pick<RetentionTools, 'db' | 'folder' | 'verifiers'>,
  plan: SegmentPlan,
  anchor: Anchor & { readonly source: AnchorSource },
): Promise<Archive> {
  const { chain_id, from_seq, to_seq } = plan;
  const archive = await writeArchive({ db, folder, verifiers: verifiers(originOfChain(chain_id)) }, plan, anchor);
  const archive_digest = archive.digest.toString('hex');
  const stated = sealEntry(systemActor(chain_id), {
    event: 'audit.segment-drop',
    action: 'delete',
    resource_type: 'audit_log',
    resource_id: String(to_seq),
    new_values: { from_seq, to_seq, rows: to_seq - from_seq + 1, archive_name: archive.name, archive_digest },
  });
  const { root_hash, chain_hash } = archive.end;
  await writeInfrastructure(
    db,
    chainScope(chain_id),
    rawQuery('select audit_drop_segment($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [
      chain_id,
      to_seq,
      Buffer.from(root_hash),
      Buffer.from(chain_hash),
      anchor.size,
      anchor.note,
      anchor.source,
      archive.name,
      archive.digest,
      stated.entry,
      stated.private,
    ]),
  );
  return archive;
}
