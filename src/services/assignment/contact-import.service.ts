import { parse } from 'csv-parse/sync';
import { csvRowReader } from '../../platform/csv-row.ts';
import type { CsvRowFormat } from '../../platform/csv-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { contactCreation } from './contact.payload.ts';
import { contactColumns } from './contact.repository.ts';
import { createMissingContacts } from './contact.service.ts';
import type { ContactValues } from './contact.service.ts';

const maxImportRows = 2000;

/** The columns of a contact file are the fields that people write, in any order; only `name` is required. */
export const contactCsvFormat: CsvRowFormat<(typeof contactColumns)[number], ContactValues> = {
  columns: contactColumns,
  schema: contactCreation,
};

/** What an import has done. */
interface ContactImport {
  readonly created: number;
  /** Lines of the file whose e-mail address another contact has already. */
  readonly duplicates: number[];
  /** The new contacts, in the order of the file. */
  readonly contact_ids: string[];
}

/** Creates the contacts of a file, all or none. Lines whose e-mail address another contact has already are left out. */
export async function importContacts(tx: Tx, rows: readonly ContactValues[]): Promise<ContactImport> {
  const ids = await createMissingContacts(tx, rows);
  const contact_ids = ids.filter((id) => id !== null);
  // The first line names the columns.
  const duplicates = ids.flatMap((id, index) => (id === null ? [index + 2] : []));
  return { created: contact_ids.length, duplicates, contact_ids };
}

/** The contacts of a CSV file. @throws Problem `request.invalid` with every fault of the file. */
export function readContactFile(csv: string): ContactValues[] {
  const records = recordsOf(csv);
  const [first] = records;
  if (first === undefined) throw invalidInput([{ pointer: '/csv', detail: 'has no line below the names of the columns' }]);
  if (records.length > maxImportRows) throw invalidInput([{ pointer: '/csv', detail: `has more than ${maxImportRows} lines` }]);
  const unknown = Object.keys(first).filter((column) => !isColumn(column));
  if (unknown.length > 0) {
    throw invalidInput(unknown.map((column) => ({ pointer: '/csv', detail: `has the unknown column ${column.slice(0, 50)}` })));
  }
  const readRow = csvRowReader(contactCsvFormat, contactColumns);
  const results = records.map((record) => readRow(contactColumns.map((column) => record[column])));
  const faults = results.flatMap((result, index) =>
    'faults' in result
      ? result.faults.map(({ column, detail }) => ({ pointer: '/csv', detail: `line ${index + 2}, ${column}: ${detail}` }))
      : [],
  );
  if (faults.length > 0) throw invalidInput(faults);
  return results.flatMap((result) => ('row' in result ? [result.row] : []));
}

function recordsOf(csv: string): Record<string, string>[] {
  try {
    return parse(csv, { bom: true, columns: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'cannot be read';
    throw invalidInput([{ pointer: '/csv', detail: `is not valid CSV: ${detail}` }]);
  }
}

function isColumn(column: string): boolean {
  return contactColumns.some((known) => known === column);
}
