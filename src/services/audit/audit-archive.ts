import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { segmentFilter } from '../../domain/audit/audit-export.ts';
import type { ExportReport } from '../../domain/audit/audit-export.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import { chainScope } from './audit-chain.queries.ts';
import type { SegmentPlan } from './audit-retention.queries.ts';
import { exportText } from './audit-export.service.ts';
import type { ExportedRow } from './audit-export.service.ts';
import { verifyExportFile } from './audit-export-verification.service.ts';
import type { CheckpointVerifier } from './signed-note.ts';

const batchRows = 1_000;

/** A checkpoint from outside whose signature was checked. */
export interface Anchor {
  readonly size: number;
  readonly note: string;
}

/** A verified archive on disk. */
export interface Archive {
  /** Where it lies inside the archive folder. */
  readonly name: string;
  /** SHA-256 of the file. */
  readonly digest: Buffer;
  /** The state of the chain at its last row, as its rows give it. */
  readonly end: ExportReport['end'];
}

/** The name of a segment's archive; sorted by name is sorted by place. */
function archiveName({ chain_id, from_seq, to_seq }: SegmentPlan): string {
  const padded = (seq: number) => String(seq).padStart(12, '0');
  return join(chain_id, `${padded(from_seq)}-${padded(to_seq)}.jsonl`);
}

/**
 * Writes the archive of a segment, reads it back and verifies it: its rows must lead to the root that the anchor states.
 * The same rows and the same anchor give the same bytes. A file that does not verify is removed.
 *
 * @throws Error when the archive does not verify
 */
export async function writeArchive(
  { db, folder, verifiers }: {
    readonly db: ReadConnections;
    readonly folder: string;
    readonly verifiers: readonly CheckpointVerifier[];
  },
  plan: SegmentPlan,
  anchor: Anchor,
): Promise<Archive> {
  const name = archiveName(plan);
  const path = join(folder, name);
  const draft = `${path}.${process.pid}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const text = exportText({
      db,
      signer: null,
      checkpoint: { chain_id: plan.chain_id, ...anchor },
      format: 'jsonl',
      filters: { [segmentFilter]: `${plan.from_seq}-${plan.to_seq}` },
      nextRows: (after) => segmentRows(db, plan, after),
      consistentWith: null,
      // Nothing in an archive is stated by whoever wrote it, so its time is that of its last row.
      exportedAt: new Date(plan.recorded_until).toISOString(),
    });
    const digest = await writeSynced(draft, text);
    const { valid, rows, end, findings } = await verifyExportFile(draft, { verifiers }, 'jsonl');
    if (!valid || rows !== plan.to_seq - plan.from_seq + 1 || end.size !== plan.to_seq) {
      throw new Error(`The archive ${name} does not verify: ${findings[0]?.detail ?? `it has ${rows} rows`}.`);
    }
    await rename(draft, path);
    return { name, digest, end };
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

/** Without keys: what archives hold about persons stays sealed, so erasing a person reaches them too. */
function segmentRows(
  db: ReadConnections,
  { chain_id, from_seq, to_seq }: SegmentPlan,
  after: number,
): Promise<ExportedRow[]> {
  const text = `select seq, recorded_at, entry_hash, chain_hash, entry::text as entry, private::text as private,
      entry #>> '{actor,permissions_digest}' as permissions_digest, '[]'::json as private_keys
    from audit_logs where chain_id = $1 and seq > $2 and seq <= $3 order by seq limit ${batchRows}`;
  return read(db, chainScope(chain_id), rawQuery<ExportedRow>(text, [chain_id, Math.max(after, from_seq - 1), to_seq]));
}
