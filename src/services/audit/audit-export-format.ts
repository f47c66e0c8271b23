import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import type { AuditPrivate, AuditRecord } from '../../domain/audit/audit-entry.ts';
import { exportFormat, toHex } from '../../domain/audit/audit-export.ts';
import type { ExportManifest } from '../../domain/audit/audit-export.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { openedPrivate } from '../../platform/audit/audit-seal.ts';
import { uuid } from '../../platform/value-schemas.ts';

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
/** A signed manifest with the members that it may have, and no others. */
export const signedManifestSchema: z.ZodType<SignedManifest> = z.strictObject({
  manifest: z.strictObject({
    format: z.literal(exportFormat),
    chain_id: uuid,
    filters: z.record(z.string(), z.string()),
    exported_at: z.iso.datetime(),
    rows: z.int(),
    rows_hash: hex,
    keys_hash: hex.optional(),
    tree_size: z.int(),
    skipped: z.array(hex),
    checkpoint: z.string(),
    consistency: z.strictObject({ first: z.int(), hashes: z.array(hex) }).nullable(),
    permission_sets: z.record(z.string(), z.array(z.string())),
  }),
  signature: z.string(),
});

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
/** The header of a CSV file. */
export const csvColumns = ['seq', ...displayColumns, ...proofColumns];
/** Stands in the column `seq` of the last record, whose `entry` is the signed manifest. */
export const manifestMark = 'manifest';

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
    row: (source, skipped) => csvLine(rowCells(source, skipped)),
    end: (signed) => csvLine(manifestCells(signed)),
  },
};

/** The cells of a row in the order of {@link csvColumns}. */
function rowCells(source: ExportSource, skipped: readonly Uint8Array[]): string[] {
  return [
    String(source.seq),
    ...displayValues(source.entry, source.private, source.private_keys),
    source.recorded_at,
    source.entry,
    source.private ?? '',
    toHex(source.entry_hash),
    toHex(source.chain_hash),
    skipped.map(toHex).join(' '),
    keyTexts(source.private_keys).join(' '),
  ];
}

function manifestCells(signed: SignedManifest): string[] {
  return csvColumns.map((column) => (column === 'seq' ? manifestMark : column === 'entry' ? canonicalJson(signed) : ''));
}

/**
 * The first column of a CSV record that is not what the format makes of its row or manifest; null when all are. A record
 * holds nothing but that: whatever else stood in it would be believed without being signed.
 */
export function foreignColumn(cells: readonly string[], expected: readonly string[]): string | null {
  if (cells.length !== csvColumns.length) return `number ${cells.length}`;
  return csvColumns.find((_, place) => cells[place] !== spreadsheetSafe(expected[place] ?? '')) ?? null;
}

/** What {@link foreignColumn} compares with. */
export const expectedCells = { row: rowCells, manifest: manifestCells };

/** Stands for the key of an erased person. */
const noKey = 'erased';

/** The keys of a row as they stand in a file. */
export function keyTexts(keys: readonly (Buffer | null)[]): string[] {
  return keys.map((key) => key?.toString('hex') ?? noKey);
}

/** The keys of a file; null for those of erased persons. */
export function keysOf(texts: readonly string[]): (Buffer | null)[] {
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

/** The object that a text is; null when it is none. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether a parsed value is an object, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
