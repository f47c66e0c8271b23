import type { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { sql } from 'kysely';
import type { RequirableField } from '../../../domain/tracker/tracker-pipeline.ts';
import { cellText, csvRowReader } from '../../../platform/csv-row.ts';
import { Problem } from '../../../platform/problem.ts';
import type { ProblemIssue } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { defaultPipelineId } from './pipeline.service.ts';
import { lockPipeline, stagesOf } from './pipeline.repository.ts';
import type { NamedStage } from './pipeline.repository.ts';
import { prospectCsvColumns, prospectCsvFormat } from './prospect-csv.ts';
import type { ProspectCsvColumn, ProspectCsvRow } from './prospect-csv.ts';

/** How a file is imported. */
interface ImportOptions {
  /** Null: the default pipeline. */
  readonly pipeline_id: number | null;
  /** What to do about a known e-mail address: refuse the file, or leave the row out. */
  readonly on_duplicate: 'error' | 'skip';
}

/** Number of rows that were imported and left out. */
interface ImportResult {
  readonly imported: number;
  readonly skipped: number;
}

/** Rows in one statement. */
const batchRows = 2_000;
const maxRecordBytes = 64 * 1024;
/** Faults that are listed one by one; the others are only counted. */
const faultsListed = 100;

/**
 * Imports the rows of a CSV file, all or none. They are inserted in batches while the file is read; faults are collected,
 * and a single one rolls everything back. (COPY is refused on a table with row-level security, and a staging table
 * without it would not be bound to the tenant; batches of arrays cost about as much as COPY.)
 *
 * Imported prospects get no entry in the stage history: the first one is written when they move.
 *
 * @throws Problem `prospect.import-refused` with a pointer for each faulty row; the header is row 1.
 */
export async function importProspects(
  tx: Tx,
  userId: string,
  file: Readable,
  options: ImportOptions,
): Promise<ImportResult> {
  const pipelineId = options.pipeline_id ?? (await defaultPipelineId(tx));
  await lockPipeline(tx, pipelineId);
  const run = new ImportRun(tx, userId, new StagesByName(await stagesOf(tx, pipelineId)), options);
  await run.readAll(file);
  const result = run.finish();
  tx.audit({
    event: 'prospect.import',
    action: 'create',
    resource_type: 'prospect',
    resource_id: null,
    new_values: { ...result, pipeline_id: pipelineId },
  });
  return result;
}

/** The stages of a pipeline by name, ignoring case; without a name the first one. */
class StagesByName {
  readonly #first: NamedStage;
  readonly #byName: ReadonlyMap<string, NamedStage>;

  constructor(stages: readonly NamedStage[]) {
    const [first] = stages;
    if (first === undefined) throw new Problem({ code: 'resource.conflict', detail: 'The pipeline has no stage.' });
    this.#first = first;
    this.#byName = new Map(stages.map((stage) => [stage.name.toLowerCase(), stage]));
  }

  find(name: string): NamedStage | undefined {
    return name === '' ? this.#first : this.#byName.get(name.toLowerCase());
  }
}

interface StagedRow {
  readonly number: number;
  readonly row: ProspectCsvRow;
  readonly stage: NamedStage;
}

class ImportRun {
  readonly #tx: Tx;
  readonly #userId: string;
  readonly #stages: StagesByName;
  readonly #options: ImportOptions;
  readonly #faults: ProblemIssue[] = [];
  #faultCount = 0;
  #imported = 0;
  #skipped = 0;
  #batch: StagedRow[] = [];

  constructor(tx: Tx, userId: string, stages: StagesByName, options: ImportOptions) {
    this.#tx = tx;
    this.#userId = userId;
    this.#stages = stages;
    this.#options = options;
  }

  async readAll(file: Readable): Promise<void> {
    const parser = file.pipe(parse({ bom: true, skip_empty_lines: true, relax_column_count: true, max_record_size: maxRecordBytes }));
    file.once('error', (error) => parser.destroy(error));
    let take: ((number: number, record: readonly string[]) => void) | null = null;
    let number = 0;
    try {
      for await (const record of parser as AsyncIterable<string[]>) {
        number += 1;
        if (take === null) take = this.#rowsOf(this.#readHeader(record));
        else take(number, record);
        if (this.#batch.length === batchRows) await this.#writeBatch();
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      this.#fault(`/rows/${number + 1}`, 'is not well-formed CSV');
    }
    if (take === null && this.#faultCount === 0) this.#fault('/rows/1', 'must name the columns');
    await this.#writeBatch();
  }

  /** @throws Problem `prospect.import-refused` when there was a fault. */
  finish(): ImportResult {
    if (this.#faultCount > 0) {
      throw new Problem({
        code: 'prospect.import-refused',
        detail: `${this.#faultCount} faults were found; nothing was imported.`,
        errors: this.#faults,
        members: { fault_count: this.#faultCount },
      });
    }
    return { imported: this.#imported, skipped: this.#skipped };
  }

  #readHeader(record: readonly string[]): ProspectCsvColumn[] {
    const names = record.map((name) => name.trim().toLowerCase());
    const columns = names.filter((name): name is ProspectCsvColumn => (prospectCsvColumns as readonly string[]).includes(name));
    const isValid = columns.length === names.length && new Set(columns).size === columns.length && columns.includes('name');
    if (isValid) return columns;
    throw new Problem({
      code: 'prospect.import-refused',
      detail: `The first row names the columns: name, and any of ${prospectCsvColumns.slice(1).join(', ')}, each once.`,
      errors: [{ pointer: '/rows/1', detail: 'does not name the columns' }],
    });
  }

  /** Makes the function that takes the rows of a file with these columns. */
  #rowsOf(header: readonly ProspectCsvColumn[]): (number: number, record: readonly string[]) => void {
    const readRow = csvRowReader(prospectCsvFormat, header);
    const stageIndex = header.indexOf('stage');
    return (number, record) => {
      if (record.length !== header.length) {
        this.#fault(`/rows/${number}`, `has ${record.length} fields instead of ${header.length}`);
        return;
      }
      const read = readRow(record);
      if ('faults' in read) {
        for (const { column, detail } of read.faults) this.#fault(`/rows/${number}/${column}`, detail);
        return;
      }
      const stage = this.#stages.find(cellText(record[stageIndex]));
      if (stage === undefined) this.#fault(`/rows/${number}/stage`, 'is no stage of the pipeline');
      else if (this.#hasRequired(number, read.row, stage)) this.#batch.push({ number, row: read.row, stage });
    };
  }

  #hasRequired(number: number, row: ProspectCsvRow, stage: NamedStage): boolean {
    const missing = stage.required_fields.filter((field: RequirableField) => (row[field] ?? null) === null);
    for (const field of missing) this.#fault(`/rows/${number}/${field}`, `is required by the stage ${stage.name}`);
    return missing.length === 0;
  }

  async #writeBatch(): Promise<void> {
    const rows = this.#batch;
    this.#batch = [];
    if (rows.length === 0) return;
    const written = await this.#insert(rows);
    this.#imported += written.length;
    if (written.length === rows.length) return;
    // Where an address occurs twice in the file, the first row was inserted.
    const fresh = new Set(written.map(({ email }) => email));
    for (const { number, row } of rows) {
      if (row.email == null || fresh.delete(row.email)) continue;
      if (this.#options.on_duplicate === 'skip') this.#skipped += 1;
      else this.#fault(`/rows/${number}/email`, 'is the address of another prospect');
    }
  }

  async #insert(rows: readonly StagedRow[]): Promise<{ email: string | null }[]> {
    const column = <Value>(valueOf: (placed: StagedRow) => Value): Value[] => rows.map(valueOf);
    const { tenant_id } = this.#tx.actor;
    const result = await sql<{ email: string | null }>`
      insert into admin_prospects (tenant_id, user_id, pipeline_id, stage_id, probability, name, company, email, phone,
        source, value_minor, currency, next_activity_at)
      select ${tenant_id}::uuid, ${this.#userId}::uuid, r.*
      from unnest(
        ${column(({ stage }) => stage.pipeline_id)}::integer[], ${column(({ stage }) => stage.id)}::integer[],
        ${column(({ stage }) => stage.probability)}::integer[], ${column(({ row }) => row.name)}::text[],
        ${column(({ row }) => row.company ?? null)}::text[], ${column(({ row }) => row.email ?? null)}::text[],
        ${column(({ row }) => row.phone ?? null)}::text[], ${column(({ row }) => row.source ?? null)}::text[],
        ${column(({ row }) => row.value_minor ?? null)}::bigint[], ${column(({ row }) => row.currency ?? null)}::text[],
        ${column(({ row }) => row.next_activity_at ?? null)}::timestamptz[]
      ) as r
      on conflict (tenant_id, lower(email)) where deleted_at is null do nothing
      returning email`.execute(this.#tx.sql);
    return result.rows;
  }

  #fault(pointer: string, detail: string): void {
    this.#faultCount += 1;
    if (this.#faults.length < faultsListed) this.#faults.push({ pointer, detail });
  }
}
