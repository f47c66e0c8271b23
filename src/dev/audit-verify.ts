import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { ExportReport } from '../domain/audit/audit-export.ts';
import { verifyExportFile } from '../services/audit/audit-export-verification.service.ts';
import { parseVerifier, splitNotes } from '../services/audit/signed-note.ts';

const usage = `npm run audit:verify -- FILE --public-key KEY [--checkpoint FILE]

  FILE          an export of audit entries (.csv or .jsonl)
  --public-key  the verifier key of the chain, or a file with it; more than one may be given.
                GET /admin/audit-logs/checkpoints/latest shows it; keep it where the server cannot change it.
  --checkpoint  a file with checkpoints of the same chain that were kept before the export; more than one may be given

Exit code: 0 the file is what was signed, 1 it is not, 2 it could not be read.`;

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
