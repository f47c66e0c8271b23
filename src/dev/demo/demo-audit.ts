import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProblemError } from '../../sdk/index.ts';
import { verifyExportFile } from '../../services/audit/audit-export-verification.service.ts';
import { parseVerifier } from '../../services/audit/signed-note.ts';
import { say } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';

/**
 * Shows the entries of an approval, a signed checkpoint that covers them, and an export that verifies without the server.
 *
 * @returns the public keys of the checkpoint
 */
export async function proveByAudit({ client }: Caller, approvalId: string): Promise<readonly string[]> {
  const { items } = await client.adminApi.getAuditLogs({ limit: 50 });
  const entries = items.filter(({ resource_id, event }) => resource_id === approvalId || event.startsWith('flag.'));
  say('The audit log tells it, newest first', {
    ...Object.fromEntries(entries.slice(0, 5).map(({ seq, event, outcome }) => [`entry ${seq}`, `${event} (${outcome})`])),
  });
  const { data: checkpoint, error } = await client.http.GET('/admin/audit-logs/checkpoints/latest');
  if (checkpoint === undefined) throw new ProblemError(error);
  say('A signed checkpoint covers it', { entries: checkpoint.size, 'Merkle root': checkpoint.root_hash });

  const folder = await mkdtemp(join(tmpdir(), 'castellan-demo-'));
  try {
    const file = join(folder, 'audit.jsonl');
    const body = await client.adminApi.exportAuditLogs({ format: 'jsonl' });
    await pipeline(Readable.fromWeb(body), createWriteStream(file));
    const report = await verifyExportFile(file, {
      verifiers: checkpoint.public_keys.map(parseVerifier),
      notes: [checkpoint.note],
    });
    if (!report.valid) throw new Error(`The export does not verify: ${JSON.stringify(report.findings)}`);
    say('An export of the log verifies offline', { entries: report.rows, result: 'valid' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return checkpoint.public_keys;
}
