import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { platformChainId } from '../domain/audit-entry.ts';
import type { AuditRecord } from '../domain/audit-entry.ts';
import { ExportVerifier } from '../domain/audit-export.ts';
import type { ExportReport, ExportRow, ManifestTrust } from '../domain/audit-export.ts';
import type { TrustedCheckpoint } from '../domain/audit-chain.ts';
import { canonicalJson } from '../domain/canonical.ts';
import { readExport } from '../platform/audit-export-format.ts';
import type { ExportFormat, SignedManifest } from '../platform/audit-export-format.ts';
import { sha256 } from '../platform/audit-hash.ts';
import { isManifestSigned, openCheckpoint, originOfChain, parseVerifier, splitNotes } from '../platform/audit-note.ts';
import type { CheckpointVerifier } from '../platform/audit-note.ts';

const usage = `npm run audit:verify -- FILE --public-key KEY [--checkpoint FILE]

  FILE          an export of audit entries (.csv or .jsonl)
  --public-key  the verifier key of the chain, or a file with it; more than one may be given.
                GET /admin/audit-logs/checkpoints/latest shows it; keep it where the server cannot change it.
  --checkpoint  a file with checkpoints of the same chain that were kept before the export; more than one may be given

Exit code: 0 the file is what was signed, 1 it is not, 2 it could not be read.`;

/** What a reader of an export brings along. */
export interface ExportTrust {
  readonly verifiers: readonly CheckpointVerifier[];
  /** Signed notes from before. */
  readonly notes?: readonly string[];
}

/**
 * Checks an exported file without a database and in constant memory (capability 33).
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

async function textOrFile(value: string): Promise<string> {
  return value.includes('+') && !value.startsWith('/') ? value : readFile(value, 'utf8');
}

function printReport(path: string, report: ExportReport): void {
  const { valid, rows, tree_size, complete, findings, compared, not_compared, first_bad_seq } = report;
  const scope = complete ? 'the whole chain' : `a slice of a chain of ${tree_size}`;
  const lines = [
    `${path}: ${rows} entries, ${scope}`,
    ...compared.map((size) => `compared with the given checkpoint of ${size} entries`),
    ...not_compared.map((size) => `not comparable with the given checkpoint of ${size} entries: export with consistent_with=${size}`),
    ...findings.map(({ kind, seq, detail }) => `  entry ${seq}: ${detail} (${kind})`),
    valid ? 'VALID: this is what was signed' : `NOT VALID: first bad entry ${first_bad_seq}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      'public-key': { type: 'string', multiple: true, default: [] },
      checkpoint: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [path] = positionals;
  const keys = values['public-key'];
  if (values.help || path === undefined || keys.length === 0) {
    process.stdout.write(`${usage}\n`);
    return values.help ? 0 : 2;
  }
  const verifiers = await Promise.all(keys.map(async (key) => parseVerifier(await textOrFile(key))));
  const notes = (await Promise.all(values.checkpoint.map((file) => readFile(file, 'utf8')))).flatMap(splitNotes);
  const report = await verifyExportFile(path, { verifiers, notes });
  printReport(path, report);
  return report.valid ? 0 : 1;
}

if (import.meta.main) {
  main().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 2;
    },
  );
}
