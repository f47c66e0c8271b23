import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { sql } from 'kysely';
import { maskedCpf } from '../../domain/shared/document-number.ts';
import { importCsvFile, previewCsvFile } from '../../platform/csv-file.ts';
import type { CsvFileRow } from '../../platform/csv-file.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { seesClients } from './client-conflict.service.ts';
import { clientFileFormat } from './client-csv.ts';
import { numberOf, numberOwners } from './client-import.queries.ts';
import type { NumberOwner } from './client-import.queries.ts';
import type { ClientValues } from './client.payload.ts';
import { clientRules } from './client.service.ts';
import { SeenNumbers } from './seen-numbers.ts';

/** What to do about a number that a client has already, or that an earlier row names: refuse the file, or leave the row out. */
export const duplicateRules = ['error', 'skip'] as const;
type DuplicateRule = (typeof duplicateRules)[number];

/** Bounds the length of the transaction and what a preview remembers. */
const maxRows = 2_000_000;
/** Rows that a preview shows. */
const sampleRows = 5;

/**
 * Creates the clients of a CSV file, all or none, in batches while the file is read. One audit entry stands for all of them;
 * `clients.import_id` tells which they are.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem `import.refused` with a pointer for each faulty row; the header is row 1. `request.too-large` for too many rows.
 */
export async function importClients(tx: Tx, file: Readable, onDuplicate: DuplicateRule, nowMs: number) {
  await planForMany(tx);
  const importId = randomUUID();
  const format = clientFileFormat(await clientRules(tx, nowMs));
  const words = await wordsOfOwners(tx);
  let created = 0;
  let skipped = 0;
  await importCsvFile(file, format, {
    code: 'import.refused',
    write: async (rows, reportFault) => {
      assertRowCount(rows);
      const written = await insertClients(tx, importId, rows);
      created += written.size;
      const leftOut = written.size === rows.length ? [] : rows.filter(({ item }) => isLeftOut(item, written));
      if (onDuplicate === 'skip' || leftOut.length === 0) {
        skipped += leftOut.length;
        return;
      }
      const owners = await numberOwners(tx, leftOut.map(({ item }) => item), importId);
      for (const row of leftOut) reportFault(row, numberColumn(row.item), words[owners.get(numberOf(row.item) ?? '') ?? 'client']);
    },
  });
  const result = { created, skipped };
  tx.audit({ event: 'client.import', action: 'create', resource_type: 'client_import', resource_id: importId, new_values: result });
  return { import_id: importId, ...result };
}

/**
 * Checks a file as {@link importClients} would, against the clients that are there and against itself, and writes no client. It is
 * audited, because it tells which numbers clients have.
 *
 * @param nowMs milliseconds since the epoch.
 * @returns what the import would do; with a fault it would do nothing.
 * @throws Problem `request.too-large` for too many rows.
 */
export async function previewClients(tx: Tx, file: Readable, onDuplicate: DuplicateRule, nowMs: number) {
  await planForMany(tx);
  const format = clientFileFormat(await clientRules(tx, nowMs));
  const words = await wordsOfOwners(tx);
  const seen = new SeenNumbers();
  const sample: ReturnType<typeof sampleOf>[] = [];
  let skipped = 0;
  const { rows, valid, fault_count, errors } = await previewCsvFile(file, format, async (batch, reportFault) => {
    assertRowCount(batch);
    for (const row of batch.slice(0, sampleRows - sample.length)) sample.push(sampleOf(row));
    // No import has this id: whatever has a number already is not of this file.
    const owners = await numberOwners(tx, batch.map(({ item }) => item), randomUUID());
    for (const row of batch) {
      const owner = owners.get(numberOf(row.item) ?? '') ?? (seen.add(row.item) ? null : 'file');
      if (owner === null) continue;
      if (onDuplicate === 'skip') skipped += 1;
      else reportFault(row, numberColumn(row.item), words[owner]);
    }
  });
  const isRefused = fault_count > 0;
  const would = { would_create: isRefused ? 0 : valid - skipped, would_skip: isRefused ? 0 : skipped };
  tx.audit({
    event: 'client.import-preview',
    action: 'read',
    resource_type: 'client_import',
    resource_id: null,
    new_values: { rows, valid, fault_count, ...would },
  });
  return { rows, valid, ...would, fault_count, errors, sample };
}

/**
 * Has this transaction look up rows by their indexes. A connection keeps the plans of its statements, those of foreign keys among
 * them. One that was made while there were few clients reads all of them each time, and with each batch of a file there are more.
 */
async function planForMany(tx: Tx): Promise<void> {
  await sql`discard plans`.execute(tx.sql);
  await sql`select set_config('enable_seqscan', 'off', true)`.execute(tx.sql);
}

/** Each number that was written is one row: where it stands in the file twice, the others are left out. */
function isLeftOut(values: ClientValues, written: Set<string>): boolean {
  const number = numberOf(values);
  return number !== null && !written.delete(number);
}

function assertRowCount(rows: readonly CsvFileRow<ClientValues>[]): void {
  // The header is row 1.
  if ((rows.at(-1)?.number ?? 0) - 1 <= maxRows) return;
  throw new Problem({ code: 'request.too-large', detail: `A file has at most ${maxRows} rows. Nothing was imported.` });
}

function numberColumn({ cpf }: ClientValues): 'cpf' | 'cnpj' {
  return cpf === null ? 'cnpj' : 'cpf';
}

/** What is said about a number that cannot be used. Whoever may not see clients does not learn whether the other one is deleted. */
async function wordsOfOwners(tx: Tx): Promise<Readonly<Record<NumberOwner, string>>> {
  const client = 'belongs to another client';
  return { client, deleted: (await seesClients(tx)) ? 'belongs to a deleted client' : client, file: 'stands in an earlier row of the file' };
}

/** A row as its client would be shown. */
function sampleOf({ number, item }: CsvFileRow<ClientValues>) {
  return { row: number, ...item, cpf: item.cpf === null ? null : maskedCpf(item.cpf) };
}

/**
 * Inserts the rows whose number no client of the tenant has; where a number stands in the file twice, the first of them.
 *
 * @returns the numbers of those, and for clients without one texts that are no numbers.
 */
async function insertClients(tx: Tx, importId: string, rows: readonly CsvFileRow<ClientValues>[]): Promise<Set<string>> {
  const column = (valueOf: (values: ClientValues) => string | null) => rows.map(({ item }) => valueOf(item));
  const { tenant_id, user_id } = tx.actor;
  const result = await sql<{ id: string; cpf: string | null; cnpj: string | null }>`
    insert into clients (tenant_id, created_by, import_id, kind, name, cpf, cnpj, birth_date, email, phone_number, address)
    select ${tenant_id}::uuid, ${user_id}::uuid, ${importId}::uuid, r.*
    from unnest(
      ${column(({ kind }) => kind)}::text[], ${column(({ name }) => name)}::text[], ${column(({ cpf }) => cpf)}::bpchar[],
      ${column(({ cnpj }) => cnpj)}::bpchar[], ${column(({ birth_date }) => birth_date)}::date[],
      ${column(({ email }) => email)}::text[], ${column(({ phone_number }) => phone_number)}::text[],
      ${column(({ address }) => (address === null ? null : JSON.stringify(address)))}::jsonb[]
    ) as r
    on conflict do nothing
    returning id, cpf, cnpj`.execute(tx.sql);
  return new Set(result.rows.map((row) => numberOf(row) ?? row.id));
}
