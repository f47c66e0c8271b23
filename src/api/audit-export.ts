import { Readable } from 'node:stream';
import { sql } from 'kysely';
import { addToRowsHash, emptyRowsHash, exportFormat, toHex } from '../domain/audit-export.ts';
import type { ExportManifest } from '../domain/audit-export.ts';
import { alignedSubtrees } from '../domain/audit-merkle.ts';
import { canonicalJson } from '../domain/canonical.ts';
import type { JsonObject } from '../domain/canonical.ts';
import { query } from '../entities/schema.ts';
import type { Checkpoint } from '../platform/audit-checkpoint.ts';
import { exportWriters } from '../platform/audit-export-format.ts';
import type { ExportFormat, ExportSource } from '../platform/audit-export-format.ts';
import { sha256 } from '../platform/audit-hash.ts';
import { originOfChain } from '../platform/audit-note.ts';
import type { CheckpointSigner } from '../platform/audit-note.ts';
import { consistencyProof, subtreeHashes } from '../platform/audit-tree.ts';
import type { Database } from '../platform/database.ts';
import { read } from '../platform/read.ts';
import { chainScope, filteredEntries } from './audit-query.ts';
import type { AuditFilters } from './audit-query.ts';

interface ExportJob {
  readonly db: Pick<Database, 'readPool'>;
  readonly signer: CheckpointSigner;
  /** What the proofs lead to; rows behind it are not in the export. */
  readonly checkpoint: Checkpoint;
  readonly format: ExportFormat;
  readonly filters: AuditFilters;
  /** Size of an earlier checkpoint whose consistency is to be proved. */
  readonly consistentWith: number | null;
  /** RFC 3339. */
  readonly exportedAt: string;
}

/** Rows that are read at a time. */
const batchRows = 500;

/**
 * Streams the rows that pass the filters, oldest first, with everything that proves them (S2-74, capability 33).
 *
 * The log is append-only and the checkpoint fixes its end, so keyset batches see the same rows as one long snapshot
 * would, without holding a transaction open for as long as somebody downloads.
 */
export function exportStream(job: ExportJob): Readable {
  return Readable.from(exportText(job), { objectMode: false });
}

async function* exportText(job: ExportJob): AsyncGenerator<string> {
  const { db, checkpoint } = job;
  const writer = exportWriters[job.format];
  const state = { position: 0, rows: 0, rowsHash: emptyRowsHash as Uint8Array, digests: new Set<string>() };
  yield writer.head();
  for (;;) {
    const batch = await nextRows(job, state.position);
    const gaps = await gapHashes(db, checkpoint.chain_id, state.position, batch);
    let text = '';
    for (const [place, row] of batch.entries()) {
      text += writer.row(row, gaps[place] ?? []);
      state.rowsHash = addToRowsHash(sha256, state.rowsHash, row.entry_hash);
      state.digests.add(row.permissions_digest);
    }
    if (text !== '') yield text;
    state.rows += batch.length;
    state.position = batch.at(-1)?.seq ?? state.position;
    if (batch.length < batchRows) break;
  }
  yield writer.end(await signedManifest(job, state));
}

interface ExportState {
  /** Sequence number of the last row; rows up to it are done with. */
  readonly position: number;
  readonly rows: number;
  readonly rowsHash: Uint8Array;
  readonly digests: ReadonlySet<string>;
}

type ExportedRow = ExportSource & { readonly permissions_digest: string };

function nextRows({ db, checkpoint, filters }: ExportJob, after: number): Promise<ExportedRow[]> {
  return read(
    db,
    chainScope(checkpoint.chain_id),
    filteredEntries(checkpoint.chain_id, filters)
      .where('seq', '>', after)
      .where('seq', '<=', checkpoint.size)
      .orderBy('seq')
      .limit(batchRows)
      .select(['seq', 'recorded_at', 'entry_hash', 'chain_hash'])
      .select([
        sql<string>`entry::text`.as('entry'),
        sql<string | null>`private::text`.as('private'),
        sql<string>`entry #>> '{actor,permissions_digest}'`.as('permissions_digest'),
      ]),
  );
}

/** For each row the hashes that stand for the rows between it and the one before. */
async function gapHashes(
  db: ExportJob['db'],
  chainId: string,
  position: number,
  batch: readonly ExportedRow[],
): Promise<Uint8Array[][]> {
  const gaps = batch.map((row, place) => alignedSubtrees({ from: batch[place - 1]?.seq ?? position, to: row.seq - 1 }));
  const wanted = gaps.flat();
  if (wanted.length === 0) return [];
  const hashes = await subtreeHashes(db, chainId, wanted);
  return gaps.map((gap) => hashes.splice(0, gap.length));
}

async function signedManifest(job: ExportJob, state: ExportState) {
  const { db, signer, checkpoint, consistentWith } = job;
  const { chain_id, size } = checkpoint;
  const manifest: ExportManifest = {
    format: exportFormat,
    chain_id,
    filters: statedFilters(job.filters),
    exported_at: job.exportedAt,
    rows: state.rows,
    rows_hash: toHex(state.rowsHash),
    tree_size: size,
    skipped: (await subtreeHashes(db, chain_id, alignedSubtrees({ from: state.position, to: size }))).map(toHex),
    checkpoint: checkpoint.note,
    consistency:
      consistentWith === null
        ? null
        : { first: consistentWith, hashes: (await consistencyProof(db, chain_id, consistentWith, size)).map(toHex) },
    permission_sets: await permissionSets(db, chain_id, [...state.digests]),
  };
  const digest = sha256(Buffer.from(canonicalJson(manifest)));
  return { manifest, signature: signer.signManifest(originOfChain(chain_id), digest) };
}

/** The filters that were given, as texts. */
export function statedFilters(filters: AuditFilters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function permissionSets(
  db: ExportJob['db'],
  chainId: string,
  digests: readonly string[],
): Promise<Record<string, string[]>> {
  if (digests.length === 0) return {};
  const rows = await read(
    db,
    chainScope(chainId),
    query
      .selectFrom('audit_permission_sets')
      .where('chain_id', '=', chainId)
      .where('digest', 'in', digests)
      .select(['digest', 'permissions']),
  );
  return Object.fromEntries(rows.map(({ digest, permissions }) => [digest, permissions]));
}

/** Text for the audit entry of an export: what was taken out. */
export function describeExport(format: ExportFormat, filters: AuditFilters): JsonObject {
  return { format, filters: statedFilters(filters) };
}
