import type { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { ProblemCode } from '../domain/shared/problem-codes.ts';
import { cellText, csvRowReader } from './csv-row.ts';
import type { CsvRowFormat, CsvRowResult } from './csv-row.ts';
import { Problem } from './problem.ts';
import type { ProblemIssue } from './problem.ts';

/** Rows that are handed over, and so written by one statement, at once; few, so that they do not outlive the young generation. */
const batchRows = 1_000;
/** A quote that is never closed makes one record of the rest of the file; this is as much of it as is kept. */
const maxRecordBytes = 64 * 1024;
/** Bytes that are parsed at once: rows of a byte or two must not become tens of thousands of records that wait. */
const pieceBytes = 16 * 1024;
/** Faults that are listed one by one; the others are only counted. */
const faultsListed = 100;

/** How one kind of file is read. `Item` is what a valid row becomes. */
export interface CsvFileFormat<Column extends string, Row, Item> extends CsvRowFormat<Column, Row> {
  /** Every column that a file may name, in lower case and in the order in which people are told of them. */
  readonly columns: readonly Column[];
  /** The columns that every file names; a row may still leave such a cell empty, which is up to the schema. */
  readonly required: readonly Column[];
  /** Columns that are no fields of the schema: `check` reads them. */
  readonly lookups?: readonly Column[];
  /**
   * What the schema cannot know about a row that satisfies it: names that are looked up, fields that something else requires.
   * The details of its faults are shown to people and must not repeat what the cells hold.
   *
   * @param textOf the text of a cell, as it was sent but for blanks and guards; empty where the file has no such column.
   */
  readonly check: (row: Row, textOf: (column: Column) => string) => CsvRowResult<Column, Item>;
}

/** A valid row and its number in the file; the header is row 1, and empty lines do not count. */
export interface CsvFileRow<Item> {
  readonly number: number;
  readonly item: Item;
}

/**
 * Takes up to 1,000 valid rows, in the order of the file; nothing more is read before it is done. A fault that shows only now,
 * such as an address that is taken, is reported for its row. It is called after faults as well, so that people see all of them.
 */
export type CsvBatchTaker<Column extends string, Item> = (
  rows: readonly CsvFileRow<Item>[],
  reportFault: (row: CsvFileRow<Item>, column: Column, detail: string) => void,
) => Promise<void>;

/** How the rows of a file are imported. */
interface CsvImport<Column extends string, Item> {
  /** The code of the problem that refuses a file. */
  readonly code: ProblemCode;
  readonly write: CsvBatchTaker<Column, Item>;
}

/** What a file holds, as it is answered to somebody who has not imported it yet. */
export interface CsvFilePreview {
  /** Rows below the header; of a file that is no CSV from some row on, the rows before that one. */
  readonly rows: number;
  /** Rows without a fault. */
  readonly valid: number;
  readonly fault_count: number;
  /** The first 100 faults, with pointers such as `/rows/3/email` or, for a whole row, `/rows/3`; the header is row 1. */
  readonly errors: readonly ProblemIssue[];
}

/**
 * Reads a file and has its rows written, a batch at a time; the memory that it takes does not depend on the size of the file.
 * It runs in a transaction of the caller, which its errors roll back: batches before a fault were written.
 *
 * @throws Problem with the code of the import where the file has a fault; what reading the stream or writing throws, as it is.
 */
export async function importCsvFile<Column extends string, Row, Item>(
  file: Readable,
  format: CsvFileFormat<Column, Row, Item>,
  { code, write }: CsvImport<Column, Item>,
): Promise<void> {
  const found = await new CsvFileReading(format, write).read(file);
  if (found === null) {
    const errors = [{ pointer: '/rows/1', detail: 'does not name the columns' }];
    throw new Problem({ code, detail: headerRule(format), errors });
  }
  const { fault_count, errors } = found;
  if (fault_count === 0) return;
  throw new Problem({ code, detail: `${fault_count} faults were found; nothing was imported.`, errors, members: { fault_count } });
}

/**
 * Reads and checks a file as an import would, without writing anything.
 *
 * @param look gets the batches as `write` of an import would, to report what only other data tell, such as taken addresses.
 * @throws what reading the stream or `look` throws; faults of the file are the result.
 */
export async function previewCsvFile<Column extends string, Row, Item>(
  file: Readable,
  format: CsvFileFormat<Column, Row, Item>,
  look: CsvBatchTaker<Column, Item> = async () => undefined,
): Promise<CsvFilePreview> {
  const found = await new CsvFileReading(format, look).read(file);
  return found ?? { rows: 0, valid: 0, fault_count: 1, errors: [{ pointer: '/rows/1', detail: headerRule(format) }] };
}

class CsvFileReading<Column extends string, Row, Item> {
  readonly #format: CsvFileFormat<Column, Row, Item>;
  readonly #take: CsvBatchTaker<Column, Item>;
  readonly #faults: ProblemIssue[] = [];
  #faultCount = 0;
  /** The row that was read last. */
  #number = 0;
  #valid = 0;
  #batch: CsvFileRow<Item>[] = [];

  constructor(format: CsvFileFormat<Column, Row, Item>, take: CsvBatchTaker<Column, Item>) {
    this.#format = format;
    this.#take = take;
  }

  /** Reads the file to its end or its first row that is no CSV; null where its first row does not name the columns. */
  async read(file: Readable): Promise<CsvFilePreview | null> {
    let takeRow: ((record: readonly string[]) => void) | null = null;
    try {
      for await (const records of recordsOf(file)) {
        for (const record of records) {
          this.#number += 1;
          if (takeRow === null) {
            const header = headerOf(this.#format, record);
            if (header === null) return null;
            takeRow = this.#rowTaker(header);
          } else {
            takeRow(record);
            if (this.#batch.length === batchRows) await this.#handOver();
          }
        }
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      // The words of the parser repeat what the field holds.
      this.#fault(`/rows/${this.#number + 1}`, 'is not well-formed CSV');
    }
    if (takeRow === null && this.#faultCount === 0) this.#fault('/rows/1', 'must name the columns');
    await this.#handOver();
    const rows = Math.max(this.#number - 1, 0);
    return { rows, valid: this.#valid, fault_count: this.#faultCount, errors: this.#faults };
  }

  /** Makes the function that takes the rows of a file with these columns. */
  #rowTaker(header: readonly Column[]): (record: readonly string[]) => void {
    const { lookups = [], columns, check } = this.#format;
    const fields = columns.filter((column) => !lookups.includes(column));
    const readRow = csvRowReader({ ...this.#format, columns: fields }, header);
    return (record) => {
      const number = this.#number;
      if (record.length !== header.length) {
        this.#fault(`/rows/${number}`, `has ${record.length} fields instead of ${header.length}`);
        return;
      }
      const read = readRow(record);
      const checked = 'row' in read ? check(read.row, (column) => cellText(record[header.indexOf(column)])) : read;
      if ('row' in checked) {
        this.#batch.push({ number, item: checked.row });
        return;
      }
      for (const { column, detail } of checked.faults) this.#fault(`/rows/${number}/${column}`, detail);
      // A rule about the whole row belongs to no column; without a fault the row would just be missing.
      if (checked.faults.length === 0) this.#fault(`/rows/${number}`, 'is not accepted');
    };
  }

  async #handOver(): Promise<void> {
    const rows = this.#batch;
    this.#batch = [];
    if (rows.length === 0) return;
    const faulty = new Set<number>();
    await this.#take(rows, ({ number }, column, detail) => {
      faulty.add(number);
      this.#fault(`/rows/${number}/${column}`, detail);
    });
    this.#valid += rows.length - faulty.size;
  }

  #fault(pointer: string, detail: string): void {
    this.#faultCount += 1;
    if (this.#faults.length < faultsListed) this.#faults.push({ pointer, detail });
  }
}

type Header<Column extends string> = Pick<CsvFileFormat<Column, unknown, unknown>, 'columns' | 'required'>;

/** The columns that the first row of a file names; null where one is unknown, repeated or missing. */
function headerOf<Column extends string>({ columns, required }: Header<Column>, record: readonly string[]): Column[] | null {
  const names = record.map((name) => name.trim().toLowerCase());
  const known = names.flatMap((name) => columns.find((column) => column === name) ?? []);
  const named = new Set(known);
  const isValid = known.length === names.length && named.size === names.length && required.every((column) => named.has(column));
  return isValid ? known : null;
}

function headerRule<Column extends string>({ columns, required }: Header<Column>): string {
  const others = columns.filter((column) => !required.includes(column));
  const parts = [...required, ...(others.length === 0 ? [] : [`and any of ${others.join(', ')}`])];
  return `The first row names the columns: ${parts.join(', ')}, each once.`;
}

/**
 * The records of a file, as many at a time as were parsed at once. The parser is written to by hand and not piped into: a pipe
 * that breaks loses the records that wait in it, and with them their faults and the number of the broken row.
 *
 * @throws CsvError after the records before the one that is not well-formed or larger than 64 KiB.
 */
async function* recordsOf(file: Readable): AsyncGenerator<string[][]> {
  let records: string[][] = [];
  const parser = parse({
    bom: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: maxRecordBytes,
    on_record: (record: string[]) => {
      records.push(record);
      return null;
    },
  });
  // Each call below is told of its error; without a listener the event would end the process.
  parser.on('error', () => undefined);

  for await (const chunk of file as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      yield* parsed((done) => parser.write(bytes.subarray(start, start + pieceBytes), done));
    }
  }
  yield* parsed((done) => parser.end(done));

  async function* parsed(feed: (done: (error?: Error | null) => void) => void): AsyncGenerator<string[][]> {
    const error = await new Promise<Error | null>((resolve) => feed((failure) => resolve(failure ?? null)));
    yield records;
    records = [];
    if (error !== null) throw error;
  }
}
