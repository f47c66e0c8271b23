import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { systemActor } from '../../domain/shared/actor.ts';
import { maxSegmentRows, segmentStep } from '../../domain/audit/audit-retention.ts';
import { checkpointAt } from './audit-checkpoint.service.ts';
import type { Checkpoint } from './audit-checkpoint.queries.ts';
import { chainScope } from './audit-chain.queries.ts';
import { exportText } from './audit-export.service.ts';
import type { ExportedRow } from './audit-export.service.ts';
import { verifyExportFile } from './audit-export-verification.service.ts';
import { originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';
import type { Database } from '../../platform/database/database.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';

/** Rows of a chain that may be archived and dropped: old enough, signed, and covered by a witness. */
interface SegmentPlan {
  readonly chain_id: string;
  readonly from_seq: number;
  readonly to_seq: number;
}

/** A segment that is not in the database any more. */
interface DroppedSegment extends SegmentPlan {
  /** Where the archive lies inside the archive folder. */
  readonly archive_name: string;
  /** Hex SHA-256 of the archive. */
  readonly archive_digest: string;
}

const batchRows = 1_000;

/**
 * The next segment of a chain to drop: whole steps of {@link segmentStep} rows from the first row that is still there,
 * as far as they are older than `before`, covered by a witness, and not the end of the chain.
 *
 * @returns null when nothing is due
 */
export async function nextSegment(
  db: Pick<Database, 'readPool'>,
  chainId: string,
  before: Date,
): Promise<SegmentPlan | null> {
  // Rows are recorded in the order of the chain, so the last one that is old enough is found by its segment's end.
  const text = `
    with edge as (
      select coalesce((select max(s.to_seq) from audit_segments s where s.chain_id = $1), 0) as dropped,
        least(
          (select coalesce(max(d.size), 0) from audit_witness_deliveries d where d.chain_id = $1 and d.status = 'delivered'),
          (select h.size - 1 from audit_heads h where h.chain_id = $1)
        ) as covered
    )
    select e.dropped + 1 as from_seq, max(ends.seq) as to_seq
    from edge e, generate_series(e.dropped + ${segmentStep}, least(e.covered, e.dropped + ${maxSegmentRows}), ${segmentStep}) ends(seq)
      join audit_logs l on l.chain_id = $1 and l.seq = ends.seq and l.recorded_at < $2
    group by e.dropped`;
  const query = rawQuery<{ from_seq: number; to_seq: number }>(text, [chainId, before.toISOString()]);
  const [plan] = await read(db, chainScope(chainId), query);
  return plan === undefined ? null : { chain_id: chainId, ...plan };
}

/** What archiving and dropping need. */
interface RetentionTools {
  readonly db: Database;
  readonly signer: CheckpointSigner;
  /** Root of the archives (`AUDIT_ARCHIVE_DIR`). */
  readonly folder: string;
}

/**
 * Archives a segment and drops its rows: signs its end, writes the archive, reads it back and verifies it, and only
 * then deletes the rows together with recording the segment. Safe to repeat at any point: the archive is written anew
 * under the same name, and a segment that is recorded already drops nothing.
 *
 * What archives hold about persons is sealed, and they hold no keys, so erasing a person reaches them too.
 *
 * @throws BrokenChainError when the rows are not those that were signed, Error when the archive does not verify
 */
export async function dropSegment(tools: RetentionTools, plan: SegmentPlan, before: Date): Promise<DroppedSegment> {
  const { db, signer } = tools;
  const { chain_id, from_seq, to_seq } = plan;
  const checkpoint = await checkpointAt(db, signer, chain_id, to_seq);
  const archive = await writeArchive(tools, plan, checkpoint);
  await unitOfWork(db, systemActor(chain_id), async (tx) => {
    const { rows } = await sql<{ dropped: number }>`select audit_drop_segment(
      ${chain_id}, ${to_seq}, ${checkpoint.root_hash}, ${checkpoint.frontier}::bytea[], ${checkpoint.note},
      ${archive.name}, ${archive.digest}, ${before.toISOString()}::timestamptz) as dropped`.execute(tx.sql);
    const dropped = rows[0]?.dropped ?? 0;
    if (dropped === 0) return;
    tx.audit({
      event: 'audit.segment-drop',
      action: 'delete',
      resource_type: 'audit_log',
      resource_id: String(to_seq),
      new_values: { from_seq, to_seq, rows: dropped, archive_name: archive.name, archive_digest: archive.digest.toString('hex') },
    });
  });
  return { ...plan, archive_name: archive.name, archive_digest: archive.digest.toString('hex') };
}

/**
 * {@link dropSegment} for every segment of a chain that is due.
 *
 * @returns how many were dropped.
 * @throws the signal's reason when it is aborted between two segments, and what {@link dropSegment} throws.
 */
export async function dropDueSegments(
  { log, ...tools }: RetentionTools & Pick<ProcessDeps, 'log'>,
  chainId: string,
  before: Date,
  signal: AbortSignal,
): Promise<number> {
  let dropped = 0;
  for (;;) {
    signal.throwIfAborted();
    const plan = await nextSegment(tools.db, chainId, before);
    if (plan === null) return dropped;
    const segment = await dropSegment(tools, plan, before);
    log.info({ ...segment }, 'an audit segment was archived and dropped');
    dropped += 1;
  }
}

/** The name of a segment's archive; sorted by name is sorted by place. */
function archiveName({ chain_id, from_seq, to_seq }: SegmentPlan): string {
  const padded = (seq: number) => String(seq).padStart(12, '0');
  return join(chain_id, `${padded(from_seq)}-${padded(to_seq)}.jsonl`);
}

async function writeArchive(
  { db, signer, folder }: RetentionTools,
  plan: SegmentPlan,
  checkpoint: Checkpoint,
): Promise<{ name: string; digest: Buffer }> {
  const name = archiveName(plan);
  const path = join(folder, name);
  const draft = `${path}.${process.pid}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const text = exportText({
      db,
      signer,
      checkpoint,
      format: 'jsonl',
      filters: { segment: `${plan.from_seq}-${plan.to_seq}` },
      nextRows: (after) => segmentRows(db, plan, after),
      consistentWith: null,
      exportedAt: new Date().toISOString(),
    });
    const digest = await writeSynced(draft, text);
    const { valid, rows } = await verifyExportFile(
      draft,
      { verifiers: signer.verifiers(originOfChain(plan.chain_id)) },
      'jsonl',
    );
    if (!valid || rows !== plan.to_seq - plan.from_seq + 1) throw new Error(`The archive ${name} does not verify.`);
    await rename(draft, path);
    return { name, digest };
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeSynced(path: string, text: AsyncIterable<string>): Promise<Buffer> {
  const digest = createHash('sha256');
  const file = await open(path, 'w', 0o640);
  try {
    for await (const part of text) {
      digest.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return digest.digest();
}

function segmentRows(
  db: Pick<Database, 'readPool'>,
  { chain_id, from_seq, to_seq }: SegmentPlan,
  after: number,
): Promise<ExportedRow[]> {
  const text = `select seq, recorded_at, entry_hash, chain_hash, entry::text as entry, private::text as private,
      entry #>> '{actor,permissions_digest}' as permissions_digest, '[]'::json as private_keys
    from audit_logs where chain_id = $1 and seq > $2 and seq <= $3 order by seq limit ${batchRows}`;
  return read(db, chainScope(chain_id), rawQuery<ExportedRow>(text, [chain_id, Math.max(after, from_seq - 1), to_seq]));
}
