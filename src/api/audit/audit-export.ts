import { Readable } from 'node:stream';
import { sql } from 'kysely';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Checkpoint } from '../../services/audit/audit-checkpoint.service.ts';
import type { ExportFormat } from '../../services/audit/audit-export-format.ts';
import { exportText } from '../../services/audit/audit-export.service.ts';
import type { ExportedRow } from '../../services/audit/audit-export.service.ts';
import type { CheckpointSigner } from '../../services/audit/signed-note.ts';
import { partKeys } from '../../platform/audit/audit-person-keys.ts';
import { readAll } from '../../platform/database/read.ts';
import { chainScope, filteredEntries } from '../../services/audit/audit-log.queries.ts';
import type { AuditFilters } from '../../services/audit/audit-log.queries.ts';
import type { ApiDeps } from '../deps.ts';

interface Export {
  readonly deps: Pick<ApiDeps, 'db'>;
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

/** Streams the rows that pass the filters, oldest first, with everything that proves them (S2-74). */
export async function exportStream({ deps, filters, ...job }: Export): Promise<Readable> {
  const { chain_id } = job.checkpoint;
  const droppedUntil = await droppedRows(deps, chain_id);
  const text = exportText({
    ...job,
    db: deps.db,
    filters: { ...statedFilters(filters), ...(droppedUntil === 0 ? {} : { after_seq: String(droppedUntil) }) },
    nextRows: (after) => nextRows(deps, job.checkpoint, filters, after),
  });
  return Readable.from(text, { objectMode: false });
}

/** Rows at the beginning of a chain that were archived and dropped. */
async function droppedRows({ db }: Pick<ApiDeps, 'db'>, chainId: string): Promise<number> {
  const [[segment]] = await readAll(db, chainScope(chainId), [
    kysely
      .selectFrom('audit_segments')
      .where('chain_id', '=', chainId)
      .orderBy('to_seq', 'desc')
      .limit(1)
      .select('to_seq'),
  ] as const);
  return segment?.to_seq ?? 0;
}

async function nextRows(
  { db }: Pick<ApiDeps, 'db'>,
  checkpoint: Checkpoint,
  filters: AuditFilters,
  after: number,
): Promise<ExportedRow[]> {
  const [rows] = await readAll(db, chainScope(checkpoint.chain_id), [
    filteredEntries(checkpoint.chain_id, filters)
      .where('seq', '>', after)
      .where('seq', '<=', checkpoint.size)
      .orderBy('seq')
      .limit(batchRows)
      .select(['id', 'seq', 'recorded_at', 'entry_hash', 'chain_hash'])
      .select([
        sql<string>`entry::text`.as('entry'),
        sql<string | null>`private::text`.as('private'),
        sql<string>`entry #>> '{actor,permissions_digest}'`.as('permissions_digest'),
      ]),
  ] as const);
  const keys = await partKeys(db, checkpoint.chain_id, rows);
  return rows.map((row, place) => ({ ...row, private_keys: keys[place] ?? [] }));
}

/** The filters that were given, as texts. */
function statedFilters(filters: AuditFilters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Text for the audit entry of an export: what was taken out. */
export function describeExport(format: ExportFormat, filters: AuditFilters): JsonObject {
  return { format, filters: statedFilters(filters) };
}
