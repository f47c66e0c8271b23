import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import { fromHex } from '../../domain/audit/audit-export.ts';
import type { ExportRow } from '../../domain/audit/audit-export.ts';
import type { AuditPrivate } from '../../domain/audit/audit-entry.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { privateKeysFault } from '../../platform/audit/audit-seal.ts';
import {
  csvColumns,
  expectedCells,
  exportWriters,
  foreignColumn,
  isObject,
  keyTexts,
  keysOf,
  manifestMark,
  parseObject,
  signedManifestSchema,
} from './audit-export-format.ts';
import type { ExportFormat, ExportSource, SignedManifest } from './audit-export-format.ts';

/** A record of a file. A `problem` is one that does not belong into such a file, or contradicts itself. */
export type ExportRecord =
  | { readonly kind: 'row'; readonly row: ExportRow }
  | { readonly kind: 'manifest'; readonly signed: SignedManifest }
  | { readonly kind: 'problem'; readonly seq: number; readonly detail: string };

/** One record as it stands in the file, before its members are validated. */
interface RawRecord {
  readonly fields: Readonly<Record<string, unknown>> | null;
  /** What is foreign in it, given what the format would have written; null when nothing is. */
  readonly foreign: (expected: ExpectedRecord) => string | null;
}

type ExpectedRecord =
  | { readonly source: ExportSource; readonly skipped: readonly Uint8Array[] }
  | { readonly signed: SignedManifest };

/**
 * Reads a file record by record; it never holds more than a few of them. A record is compared with what the format would
 * have written, so that nothing stands in it that nobody signed. Throws only where the file cannot be read.
 */
export async function* readExport(path: string, format: ExportFormat): AsyncGenerator<ExportRecord> {
  for await (const raw of format === 'csv' ? csvRecords(path) : jsonRecords(path)) {
    // A file that was edited by hand can hold anything, so every error is a finding and none ends the reading.
    try {
      yield* recordsOf(raw);
    } catch (error) {
      yield problem(seqOf(raw), error instanceof Error ? error.message : String(error));
    }
  }
}

async function* jsonRecords(path: string): AsyncGenerator<RawRecord> {
  for await (const line of lines(createReadStream(path, 'utf8'))) {
    if (line.trim() === '') continue;
    const written = (expected: ExpectedRecord) =>
      'signed' in expected
        ? exportWriters.jsonl.end(expected.signed)
        : exportWriters.jsonl.row(expected.source, expected.skipped);
    yield {
      fields: parseObject(line),
      foreign: (expected) =>
        `${line.replace(/\r$/, '')}\n` === written(expected) ? null : 'the line has other members than the format, or another form',
    };
  }
}

/** Lines that end in LF only: `node:readline` also ends them at U+2028, which JSON texts hold as it is. */
async function* lines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
  yield rest;
}

async function* csvRecords(path: string): AsyncGenerator<RawRecord> {
  const options = {
    bom: true,
    record_delimiter: ['\n', '\r\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  };
  const parser = parse(options);
  // An error of the file is passed on to the parser, and by it to the loop.
  pipeline(createReadStream(path), parser, () => undefined);
  let header: readonly string[] | null = null;
  for await (const cells of parser as AsyncIterable<string[]>) {
    if (header === null) {
      header = cells;
      if (cells.join() !== csvColumns.join()) yield { fields: { header: true }, foreign: () => null };
      continue;
    }
    const cell = (column: string) => cells[csvColumns.indexOf(column)] ?? '';
    const foreign = (expected: ExpectedRecord) => {
      const column = foreignColumn(
        cells,
        'signed' in expected ? expectedCells.manifest(expected.signed) : expectedCells.row(expected.source, expected.skipped),
      );
      return column === null ? null : `the column ${column} is not what the entry says`;
    };
    if (cell('seq') === manifestMark) yield { fields: parseObject(cell('entry')), foreign };
    else yield { fields: csvFields(cell), foreign };
  }
}

function csvFields(cell: (column: string) => string): Record<string, unknown> {
  const list = (text: string) => (text === '' ? [] : text.split(' '));
  return {
    seq: Number(cell('seq')),
    recorded_at: cell('recorded_at'),
    entry: parseObject(cell('entry')),
    private: parseObject(cell('private')),
    entry_hash: cell('entry_hash'),
    chain_hash: cell('chain_hash'),
    skipped: list(cell('skipped')),
    private_keys: list(cell('private_keys')),
  };
}

function* recordsOf(raw: RawRecord): Generator<ExportRecord> {
  const { fields } = raw;
  if (fields === null) {
    yield problem(0, 'the record is no JSON');
  } else if ('header' in fields) {
    yield problem(0, 'the columns are not those of this format');
  } else if ('manifest' in fields) {
    const signed = signedManifestSchema.parse(fields);
    const foreign = raw.foreign({ signed });
    if (foreign !== null) yield problem(0, foreign);
    yield { kind: 'manifest', signed };
  } else {
    yield* rowOf(raw, fields);
  }
}

function* rowOf(raw: RawRecord, fields: Readonly<Record<string, unknown>>): Generator<ExportRecord> {
  const { seq, recorded_at, entry, private: hidden, skipped, private_keys: texts = [] } = fields;
  const place = seqOf(raw);
  const isWhole =
    Number.isSafeInteger(seq) && typeof recorded_at === 'string' && isObject(entry) && isTexts(skipped) && isTexts(texts);
  if (!isWhole) {
    yield problem(place, 'the record is not of this format');
    return;
  }
  const source: ExportSource = {
    seq: place,
    recorded_at,
    entry: canonicalJson(entry),
    private: isObject(hidden) ? canonicalJson(hidden) : null,
    entry_hash: fromHex(String(fields['entry_hash'])),
    chain_hash: fromHex(String(fields['chain_hash'])),
    private_keys: keysOf(texts),
  };
  const row: ExportRow = {
    seq: place,
    recorded_at_ms: Date.parse(recorded_at),
    entry: Buffer.from(source.entry),
    private: source.private === null ? null : Buffer.from(source.private),
    entry_hash: source.entry_hash,
    chain_hash: source.chain_hash,
    skipped: skipped.map(fromHex),
    private_keys: keyTexts(source.private_keys),
  };
  const foreign = raw.foreign({ source, skipped: row.skipped });
  if (foreign !== null) yield problem(place, foreign);
  // The hash covers the moment; written in another way it could be taken for another one.
  if (!isStamp(recorded_at)) yield problem(place, 'the time is not in the form of this format');
  const fault = isObject(hidden) ? privateKeysFault(hidden as unknown as AuditPrivate, source.private_keys) : null;
  if (fault !== null) yield problem(place, fault);
  yield { kind: 'row', row };
}

function problem(seq: number, detail: string): ExportRecord {
  return { kind: 'problem', seq, detail };
}

function seqOf({ fields }: RawRecord): number {
  return Number.isSafeInteger(fields?.['seq']) ? Number(fields?.['seq']) : 0;
}

/** As PostgreSQL writes a moment: UTC, without zeros at the end of the fraction. */
function isStamp(text: string): boolean {
  const at = Date.parse(text);
  return Number.isFinite(at) && new Date(at).toISOString().replace(/\.?0+Z$/, 'Z') === text;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
