import { platformChainId } from '../../domain/audit/audit-entry.ts';
import type { AuditRecord } from '../../domain/audit/audit-entry.ts';
import type { TrustedCheckpoint } from '../../domain/audit/audit-chain.ts';
import { ExportVerifier } from '../../domain/audit/audit-export.ts';
import type { ExportReport, ExportRow, ManifestTrust } from '../../domain/audit/audit-export.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { readExport } from './audit-export-reader.ts';
import type { ExportFormat, SignedManifest } from './audit-export-format.ts';
import { sha256 } from '../../platform/audit/audit-hash.ts';
import { isManifestSigned, openCheckpoint, originOfChain } from './signed-note.ts';
import type { CheckpointVerifier } from './signed-note.ts';

/** What an export is verified with. */
interface ExportTrust {
  readonly verifiers: readonly CheckpointVerifier[];
  /** Signed notes that the reader has kept. */
  readonly notes?: readonly string[];
}

/**
 * Checks an exported file without a database and in constant memory (S2-74).
 *
 * @throws Error when the file cannot be read, or a given note has no valid signature
 */
export async function verifyExportFile(
  path: string,
  { verifiers, notes = [] }: ExportTrust,
  format: ExportFormat = path.endsWith('.csv') ? 'csv' : 'jsonl',
): Promise<ExportReport> {
  const known = notes.map((note) => trustedCheckpoint(note, verifiers));
  const problems: { seq: number; detail: string }[] = [];
  let verifier: ExportVerifier | undefined;
  let end: SignedManifest | null = null;
  for await (const record of readExport(path, format)) {
    if (end !== null) problems.push({ seq: 1, detail: 'there are records behind the manifest' });
    if (record.kind === 'problem') problems.push(record);
    else if (record.kind === 'manifest') end = record.signed;
    else (verifier ??= new ExportVerifier(sha256, chainOfRow(record.row), known)).add(record.row);
  }
  verifier ??= new ExportVerifier(sha256, end?.manifest.chain_id ?? '', known);
  const report = verifier.finish(end?.manifest ?? null, trustOf(end, verifiers));
  if (problems.length === 0) return report;
  const findings = [...problems.slice(0, 20).map((problem) => ({ kind: 'entry' as const, ...problem })), ...report.findings];
  return { ...report, valid: false, first_bad_seq: Math.min(...findings.map(({ seq }) => seq)), findings };
}

function chainOfRow(row: ExportRow): string {
  const { tenant_id } = JSON.parse(Buffer.from(row.entry).toString('utf8')) as AuditRecord;
  return tenant_id ?? platformChainId;
}

function trustOf(end: SignedManifest | null, verifiers: readonly CheckpointVerifier[]): ManifestTrust {
  if (end === null) return { checkpoint: null, signed: false };
  const { manifest, signature } = end;
  const origin = originOfChain(manifest.chain_id);
  const checkpoint = openCheckpoint(manifest.checkpoint, verifiers);
  return {
    checkpoint: checkpoint?.origin === origin ? checkpoint : null,
    signed: isManifestSigned(signature, origin, sha256(Buffer.from(canonicalJson(manifest))), verifiers),
  };
}

function trustedCheckpoint(note: string, verifiers: readonly CheckpointVerifier[]): TrustedCheckpoint {
  const checkpoint = openCheckpoint(note, verifiers);
  if (checkpoint === null) throw new Error('A given checkpoint has no valid signature of the given keys.');
  return checkpoint;
}
