import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import type { AuditPrivate, AuditRecord } from '../../domain/audit/audit-entry.ts';
import { exportFormat, fromHex, toHex } from '../../domain/audit/audit-export.ts';
import type { ExportManifest, ExportRow } from '../../domain/audit/audit-export.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { openedPrivate } from '../../platform/audit/audit-seal.ts';

/** `jsonl`: one JSON object a line. `csv`: the same with further columns for people, safe to open in a spreadsheet. */
export const exportFormats = ['csv', 'jsonl'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** A row as the database gives it; both texts are canonical JSON. */
export interface ExportSource {
  readonly seq: number;
  /** RFC 3339. */
  readonly recorded_at: string;
  readonly entry: string;
  readonly private: string | null;
  readonly entry_hash: Uint8Array;
  readonly chain_hash: Uint8Array;
  /** Keys of the sealed parts in their order, null for those of erased persons. Archives are written without any. */
  readonly private_keys: readonly (Buffer | null)[];
}

/** The manifest and the signed note over its digest. */
export interface SignedManifest {
  readonly manifest: ExportManifest;
  readonly signature: string;
}

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);
const signedManifestSchema: z.ZodType<SignedManifest> = z.strictObject({
  manifest: z.strictObject({
    format: z.literal(exportFormat),
    chain_id: z.uuid(),
    filters: z.record(z.string(), z.string()),
    exported_at: z.iso.datetime(),
    rows: z.int(),
    rows_hash: hex,
    tree_size: z.int(),
    skipped: z.array(hex),
    checkpoint: z.string(),
    consistency: z.strictObject({ first: z.int(), hashes: z.array(hex) }).nullable(),
    permission_sets: z.record(z.string(), z.array(z.string())),
  }),
  signature: z.string(),
});

/** A record of a file. A `problem` is one that does not belong into such a file, or contradicts itself. */
export type ExportRecord =
  | { readonly kind: 'row'; readonly row: ExportRow }
  | { readonly kind: 'manifest'; readonly signed: SignedManifest }
  | { readonly kind: 'problem'; readonly seq: number; readonly detail: string };

/** Turns rows into the text of a file. */
interface ExportWriter {
  readonly contentType: string;
  head(): string;
  row(source: ExportSource, skipped: readonly Uint8Array[]): string;
  end(signed: SignedManifest): string;
}

/** For people; computed from entry and private part, and compared with them when the file is verified. */
const displayColumns = [
  'occurred_at',
  'user_id',
  'event',
  'action',
  'resource_type',
  'resource_id',
  'outcome',
  'reason',
  'ip',
  'user_agent',
  'request_id',
  'session_id',
  'trace_id',
  'workflow_id',
  'old_values',
  'new_values',
] as const;
/** What is hashed. */
const proofColumns = ['recorded_at', 'entry', 'private', 'entry_hash', 'chain_hash', 'skipped', 'private_keys'] as const;
const csvColumns = ['seq', ...displayColumns, ...proofColumns];
/** Stands in the column `seq` of the last record, whose `entry` is the signed manifest. */
const manifestMark = 'manifest';

export const exportWriters: Readonly<Record<ExportFormat, ExportWriter>> = {
  jsonl: {
    contentType: 'application/jsonl; charset=utf-8',
    head: () => '',
    row: (source, skipped) =>
      `{"seq":${source.seq},"recorded_at":"${source.recorded_at}","entry":${source.entry},` +
      `"private":${source.private ?? 'null'},"entry_hash":"${toHex(source.entry_hash)}",` +
      `"chain_hash":"${toHex(source.chain_hash)}","skipped":${JSON.stringify(skipped.map(toHex))}` +
      `${source.private_keys.length === 0 ? '' : `,"private_keys":${JSON.stringify(keyTexts(source.private_keys))}`}}\n`,
    end: (signed) => `${canonicalJson(signed)}\n`,
  },
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    head: () => csvLine(csvColumns),
    row: (source, skipped) =>
      csvLine([
        String(source.seq),
        ...displayValues(source.entry, source.private, source.private_keys),
        source.recorded_at,
        source.entry,
        source.private ?? '',
        toHex(source.entry_hash),
        toHex(source.chain_hash),
        skipped.map(toHex).join(' '),
        keyTexts(source.private_keys).join(' '),
      ]),
    end: (signed) => csvLine(csvColumns.map((column) => (column === 'seq' ? manifestMark : column === 'entry' ? canonicalJson(signed) : ''))),
  },
};

/** Reads a file record by record; it never holds more than a few of them. Throws only where the file cannot be read. */
export async function* readExport(path: string, format: ExportFormat): AsyncGenerator<ExportRecord> {
  const records = format === 'csv' ? csvRecords(path) : jsonRecords(path);
  for await (const record of records) {
    // A file that was edited by hand can hold anything, so every error is a finding and none ends the reading.
    try {
      yield toRecord(record);
    } catch (error) {
      yield { kind: 'problem', seq: seqOf(record), detail: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Fields of one record before they are validated. */
interface RawRecord {
  readonly [field: string]: unknown;
}

async function* jsonRecords(path: string): AsyncGenerator<RawRecord> {
  for await (const line of lines(createReadStream(path, 'utf8'))) {
    if (line.trim() !== '') yield parseObject(line) ?? { broken: `no JSON: ${line.slice(0, 40)}` };
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
    columns: true,
    bom: true,
    record_delimiter: ['\n', '\r\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  };
  const parser = parse(options);
  // An error of the file is passed on to the parser, and by it to the loop.
  pipeline(createReadStream(path), parser, () => undefined);
  const records: AsyncIterable<Record<string, string>> = parser;
  for await (const { seq, entry, private: hidden, skipped, ...rest } of records) {
    const parsedEntry = parseObject(entry ?? '');
    if (seq === manifestMark) {
      yield parsedEntry ?? { broken: 'the manifest is no JSON' };
      continue;
    }
    const keys = (rest['private_keys'] ?? '') === '' ? [] : keysOf((rest['private_keys'] ?? '').split(' '));
    const shown = displayValues(entry ?? '', hidden === '' ? null : (hidden ?? null), keys);
    const differs = displayColumns.find((column, place) => rest[column] !== spreadsheetSafe(shown[place] ?? ''));
    yield {
      ...rest,
      seq: Number(seq),
      entry: parsedEntry,
      private: parseObject(hidden ?? ''),
      skipped: (skipped ?? '') === '' ? [] : (skipped ?? '').split(' '),
      ...(differs === undefined ? {} : { broken: `the column ${differs} is not what the entry says` }),
    };
  }
}

function toRecord(record: RawRecord): ExportRecord {
  if (typeof record['broken'] === 'string') return { kind: 'problem', seq: seqOf(record), detail: record['broken'] };
  if ('manifest' in record) return { kind: 'manifest', signed: signedManifestSchema.parse(record) };
  const { seq, recorded_at, entry, private: hidden, skipped } = record;
  const isWhole = Number.isSafeInteger(seq) && typeof recorded_at === 'string' && isObject(entry) && Array.isArray(skipped);
  if (!isWhole) return { kind: 'problem', seq: seqOf(record), detail: 'the record is not of this format' };
  const row: ExportRow = {
    seq: seqOf(record),
    recorded_at_ms: Date.parse(recorded_at),
    entry: Buffer.from(canonicalJson(entry)),
    private: isObject(hidden) ? Buffer.from(canonicalJson(hidden)) : null,
    entry_hash: fromHex(String(record['entry_hash'])),
    chain_hash: fromHex(String(record['chain_hash'])),
    skipped: skipped.map((hash) => fromHex(String(hash))),
  };
  return { kind: 'row', row };
}

function seqOf(record: RawRecord): number {
  return Number.isSafeInteger(record['seq']) ? Number(record['seq']) : 0;
}

/** Stands for the key of an erased person. */
const noKey = 'erased';

function keyTexts(keys: readonly (Buffer | null)[]): string[] {
  return keys.map((key) => key?.toString('hex') ?? noKey);
}

function keysOf(texts: readonly string[]): (Buffer | null)[] {
  return texts.map((text) => (text === noKey ? null : Buffer.from(text, 'hex')));
}

function displayValues(entryText: string, privateText: string | null, keys: readonly (Buffer | null)[]): string[] {
  const entry = (parseObject(entryText) ?? {}) as Partial<AuditRecord>;
  const hidden = parseObject(privateText ?? '');
  const opened = hidden === null ? {} : openedPrivate(hidden as unknown as AuditPrivate, keys);
  const values = { ...entry, ...opened, user_id: entry.actor?.user_id } as Record<string, unknown>;
  return displayColumns.map((column) => {
    const value = values[column];
    if (value === null || value === undefined) return '';
    return typeof value === 'string' ? value : canonicalJson(value);
  });
}

/** One line. Values that a spreadsheet would take for a formula get an apostrophe (OWASP, CSV injection). */
function csvLine(values: readonly string[]): string {
  return stringify([[...values]], { escape_formulas: true, quoted_match: /[\r\n]/ });
}

/** What a value looks like after it was written and read again: the characters are those of `escape_formulas`. */
function spreadsheetSafe(value: string): string {
  return /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : value;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
