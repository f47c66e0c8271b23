import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { exportFormats, exportWriters } from '../../../src/services/audit/audit-export-format.ts';
import type { ExportSource } from '../../../src/services/audit/audit-export-format.ts';
import { readExport } from '../../../src/services/audit/audit-export-reader.ts';
import type { ExportRecord } from '../../../src/services/audit/audit-export-reader.ts';
import { sealEntry } from '../../../src/platform/audit/audit-append.ts';
import { actorOf, entryOf } from '../../support/audit-bench.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-format-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const hash = Buffer.alloc(32, 7);

/** Texts that may occur in a log: line ends, quotes, separators, formulas, other scripts. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', '"', "'", ',', ';', ' ', '＝', 'é', '\u2028') }),
);

describe.each(exportFormats)('the export format %s (S2-74)', (format) => {
  it('reads what was written, whatever the texts contain', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 5 }), async (texts) => {
        const sources = texts.map(([userAgent, resource, value], place): ExportSource => {
          const actor = actorOf('7c9e6679-7425-40de-944b-e07fc1f90ae7', { user_agent: userAgent });
          const entry = entryOf(place, { resource_id: resource, new_values: { value }, old_values: value });
          const sealed = sealEntry(actor, entry);
          return { seq: place + 1, recorded_at: '2026-11-21T12:00:00.123Z', ...sealed, entry_hash: hash, chain_hash: hash, private_keys: [] };
        });
        const writer = exportWriters[format];
        const path = join(folder, `round-trip.${format}`);
        await writeFile(path, writer.head() + sources.map((source) => writer.row(source, [hash, hash])).join(''));
        const records: ExportRecord[] = [];
        for await (const record of readExport(path, format)) records.push(record);
        expect(records).toEqual(
          sources.map((source) => ({
            kind: 'row',
            row: {
              seq: source.seq,
              recorded_at_ms: Date.parse(source.recorded_at),
              entry: Buffer.from(source.entry),
              private: Buffer.from(source.private ?? ''),
              entry_hash: Uint8Array.from(hash),
              chain_hash: Uint8Array.from(hash),
              skipped: [Uint8Array.from(hash), Uint8Array.from(hash)],
              private_keys: [],
            },
          })),
        );
      }),
      { numRuns: 60 },
    );
  });
});
