import { Readable } from 'node:stream';
import { sql } from 'kysely';
import { addToKeysHash, addToRowsHash, emptyRowsHash, exportFormat, toHex } from '../../domain/audit/audit-export.ts';
import type { ExportManifest } from '../../domain/audit/audit-export.ts';
import { alignedSubtrees } from '../../domain/audit/audit-merkle.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { partKeys } from '../../platform/audit/audit-person-keys.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import type { UnitOfWork } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { chainScope, chainSize, droppedEnd } from './audit-chain.queries.ts';
import type { Checkpoint } from './audit-checkpoint.queries.ts';
import { exportWriters, keyTexts } from './audit-export-format.ts';
import type { ExportFormat, ExportSource, SignedManifest } from './audit-export-format.ts';
import { filteredEntriesQuery } from './audit-log.queries.ts';
import type { AuditFilters } from './audit-log.queries.ts';
import { assertNoLarger, checkpointCovering, neverSigned, signerOf } from './audit-proof.service.ts';
import { consistencyProof, subtreeHashes } from './audit-tree.queries.ts';
import { originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';

/** Which rows are exported, and how. */
interface AuditExport {
  readonly format: ExportFormat;
  readonly filters: AuditFilters;
  /** Size of an earlier checkpoint whose consistency is to be proved. */
  readonly consistentWith: number | null;
}

/** Rows that are read at a time. */
const batchRows = 500;

/**
 * Streams the rows of a chain that pass the filters, oldest first, with everything that proves them (S2-74). The export
 * is itself an entry, and part of what it exports.
 *
 * @returns the text, and the number of rows of the chain that it was made of.
 * @throws Problem `audit.chain-damaged` for a chain that was never signed, `request.invalid` for a later checkpoint
 *   than there is, `resource.not-found` for an empty chain.
 */
export async function exportEntries(
  deps: Pick<ProcessDeps, 'db' | 'env' | 'log' | 'now'>,
  unitOfWork: UnitOfWork,
  chainId: string,
  { format, filters, consistentWith }: AuditExport,
): Promise<{ text: Readable; size: number }> {
  await unitOfWork(async (tx) => {
    tx.audit({
      event: 'audit.export',
      action: 'read',
      resource_type: 'audit_log',
      resource_id: chainId,
      new_values: { format, filters: statedFilters(filters) },
    });
  });
  const { db } = deps;
  const size = await chainSize(db, chainId);
  const checkpoint = await checkpointCovering(deps, chainId, size);
  if (checkpoint === null) throw size === 0 ? notFound('audit entry') : neverSigned();
  if (consistentWith !== null) assertNoLarger(consistentWith, checkpoint.size);
  const dropped = await droppedEnd(db, chainId);
  const text = exportText({
    db,
    signer: signerOf(deps),
    checkpoint,
    format,
    filters: { ...statedFilters(filters), ...(dropped === null ? {} : { after_seq: String(dropped.to_seq) }) },
    nextRows: (after) => filteredRows(db, checkpoint, filters, after),
    consistentWith,
    exportedAt: new Date(deps.now()).toISOString(),
  });
  return { text: Readable.from(text, { objectMode: false }), size: checkpoint.size };
}

/** The filters that were given, as texts. */
function statedFilters(filters: AuditFilters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function filteredRows(
  db: ProcessDeps['db'],
  { chain_id, size }: Checkpoint,
  filters: AuditFilters,
  after: number,
): Promise<ExportedRow[]> {
  const rows = await read(
    db,
    chainScope(chain_id),
    filteredEntriesQuery(chain_id, filters)
      .where('seq', '>', after)
      .where('seq', '<=', size)
      .orderBy('seq')
      .limit(batchRows)
      .select(['id', 'seq', 'recorded_at', 'entry_hash', 'chain_hash'])
      .select([
        sql<string>`entry::text`.as('entry'),
        sql<string | null>`private::text`.as('private'),
        sql<string>`entry #>> '{actor,permissions_digest}'`.as('permissions_digest'),
      ]),
  );
  const keys = await partKeys(db, chain_id, rows);
  return rows.map((row, place) => ({ ...row, private_keys: keys[place] ?? [] }));
}

/** A row to export with the digest of the permissions that it names. */
export type ExportedRow = ExportSource & { readonly permissions_digest: string };

/** What is exported, and what proves it. */
interface ExportJob {
  readonly db: ReadConnections;
  /** Null for an archive, which the signed state alone proves. */
  readonly signer: CheckpointSigner | null;
  /** The signed state that the proofs refer to; rows behind it are not in the export. */
  readonly checkpoint: Pick<Checkpoint, 'chain_id' | 'size' | 'note'>;
  readonly format: ExportFormat;
  /** What the manifest says was asked for; empty for the whole chain. */
  readonly filters: Readonly<Record<string, string>>;
  /** The next rows behind a sequence number, in order and not behind the checkpoint; none at the end. */
  readonly nextRows: (after: number) => Promise<readonly ExportedRow[]>;
  /** Size of an earlier checkpoint whose consistency is to be proved. */
  readonly consistentWith: number | null;
  /** RFC 3339. */
  readonly exportedAt: string;
}

/**
 * The text of an export, oldest row first, with everything that proves it (S2-74).
 *
 * The log is append-only and the checkpoint fixes its end, so keyset batches see the same rows as one long snapshot
 * would, without holding a transaction open for as long as somebody downloads.
 */
export async function* exportText(job: ExportJob): AsyncGenerator<string> {
  const { db, checkpoint } = job;
  const writer = exportWriters[job.format];
  const state = { position: 0, rows: 0, rowsHash: emptyRowsHash as Uint8Array, keysHash: emptyRowsHash as Uint8Array, digests: new Set<string>() };
  yield writer.head();
  for (;;) {
    const batch = await job.nextRows(state.position);
    if (batch.length === 0) break;
    const gaps = await gapHashes(db, checkpoint.chain_id, state.position, batch);
    let text = '';
    for (const [place, row] of batch.entries()) {
      text += writer.row(row, gaps[place] ?? []);
      state.rowsHash = addToRowsHash(sha256, state.rowsHash, row.entry_hash);
      state.keysHash = addToKeysHash(sha256, state.keysHash, { seq: row.seq, private_keys: keyTexts(row.private_keys) });
      state.digests.add(row.permissions_digest);
    }
    yield text;
    state.rows += batch.length;
    state.position = batch.at(-1)?.seq ?? state.position;
  }
  yield writer.end(await signedManifest(job, state));
}

interface ExportState {
  /** Sequence number of the last exported row. */
  readonly position: number;
  readonly rows: number;
  readonly rowsHash: Uint8Array;
  readonly keysHash: Uint8Array;
  readonly digests: ReadonlySet<string>;
}

/** For each row the hashes of the subtrees between it and the row before. */
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

async function signedManifest(job: ExportJob, state: ExportState): Promise<SignedManifest> {
  const { db, signer, checkpoint, consistentWith } = job;
  const { chain_id, size } = checkpoint;
  const manifest: ExportManifest = {
    format: exportFormat,
    chain_id,
    filters: job.filters,
    exported_at: job.exportedAt,
    rows: state.rows,
    rows_hash: toHex(state.rowsHash),
    keys_hash: toHex(state.keysHash),
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
  return { manifest, signature: signer === null ? '' : signer.signManifest(originOfChain(chain_id), digest) };
}

interface PermissionSetRow {
  readonly digest: string;
  readonly permissions: string[];
}

async function permissionSets(
  db: ExportJob['db'],
  chainId: string,
  digests: readonly string[],
): Promise<Record<string, string[]>> {
  if (digests.length === 0) return {};
  const text = 'select digest, permissions from audit_permission_sets where chain_id = $1 and digest = any($2::text[])';
  const rows = await read(db, chainScope(chainId), rawQuery<PermissionSetRow>(text, [chainId, digests]));
  return Object.fromEntries(rows.map(({ digest, permissions }) => [digest, permissions]));
}
