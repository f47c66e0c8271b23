import type { Readable } from 'node:stream';
import { sql } from 'kysely';
import type { RequirableField } from '../../../domain/tracker/tracker-pipeline.ts';
import { importCsvFile } from '../../../platform/csv-file.ts';
import type { CsvFileFormat, CsvFileRow } from '../../../platform/csv-file.ts';
import { Problem } from '../../../platform/problem.ts';
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

/** A row with the stage that it begins in. */
interface StagedRow {
  readonly row: ProspectCsvRow;
  readonly stage: NamedStage;
}

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
  const stages = new StagesByName(await stagesOf(tx, pipelineId));
  let imported = 0;
  let skipped = 0;
  await importCsvFile(file, prospectFileFormat(stages), {
    code: 'prospect.import-refused',
    write: async (rows, reportFault) => {
      const written = await insertProspects(tx, userId, rows);
      imported += written.length;
      for (const row of rowsLeftOut(rows, written)) {
        if (options.on_duplicate === 'skip') skipped += 1;
        else reportFault(row, 'email', 'is the address of another prospect');
      }
    },
  });
  const result = { imported, skipped };
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

/** A row names a stage of the pipeline, and has the fields that the stage requires. */
function prospectFileFormat(stages: StagesByName): CsvFileFormat<ProspectCsvColumn, ProspectCsvRow, StagedRow> {
  return {
    ...prospectCsvFormat,
    columns: prospectCsvColumns,
    required: ['name'],
    lookups: ['stage'],
    check: (row, textOf) => {
      const stage = stages.find(textOf('stage'));
      if (stage === undefined) return { faults: [{ column: 'stage', detail: 'is no stage of the pipeline' }] };
      const missing = stage.required_fields.filter((field: RequirableField) => (row[field] ?? null) === null);
      if (missing.length === 0) return { row: { row, stage } };
      return { faults: missing.map((column) => ({ column, detail: `is required by the stage ${stage.name}` })) };
    },
  };
}

/** The rows whose address is known already; where one occurs twice in the file, its first row was inserted. */
function rowsLeftOut(
  rows: readonly CsvFileRow<StagedRow>[],
  written: readonly { readonly email: string | null }[],
): CsvFileRow<StagedRow>[] {
  if (written.length === rows.length) return [];
  const fresh = new Set(written.map(({ email }) => email));
  return rows.filter(({ item: { row } }) => row.email != null && !fresh.delete(row.email));
}

/** Inserts the rows whose address is not known, and tells the addresses of those. */
async function insertProspects(
  tx: Tx,
  userId: string,
  rows: readonly CsvFileRow<StagedRow>[],
): Promise<{ email: string | null }[]> {
  const column = <Value>(valueOf: (staged: StagedRow) => Value): Value[] => rows.map(({ item }) => valueOf(item));
  const { tenant_id } = tx.actor;
  const result = await sql<{ email: string | null }>`
    insert into admin_prospects (tenant_id, user_id, pipeline_id, stage_id, probability, name, company, email, phone,
      source, value_minor, currency, next_activity_at)
    select ${tenant_id}::uuid, ${userId}::uuid, r.*
    from unnest(
      ${column(({ stage }) => stage.pipeline_id)}::integer[], ${column(({ stage }) => stage.id)}::integer[],
      ${column(({ stage }) => stage.probability)}::integer[], ${column(({ row }) => row.name)}::text[],
      ${column(({ row }) => row.company ?? null)}::text[], ${column(({ row }) => row.email ?? null)}::text[],
      ${column(({ row }) => row.phone ?? null)}::text[], ${column(({ row }) => row.source ?? null)}::text[],
      ${column(({ row }) => row.value_minor ?? null)}::bigint[], ${column(({ row }) => row.currency ?? null)}::text[],
      ${column(({ row }) => row.next_activity_at ?? null)}::timestamptz[]
    ) as r
    on conflict (tenant_id, lower(email)) where deleted_at is null do nothing
    returning email`.execute(tx.sql);
  return result.rows;
}
