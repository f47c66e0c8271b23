import { isStorable } from '../shared/storable-json.ts';

/** Columns of a contact file, in any order; all but `name` may be left out. */
export const contactCsvColumns = ['name', 'email', 'phone_number', 'company', 'source', 'notes'] as const;
export type ContactCsvColumn = (typeof contactCsvColumns)[number];

/** A valid row; whether its e-mail address is unique only the database can tell. */
export type ContactCsvRow = { readonly name: string } & { readonly [Column in Exclude<ContactCsvColumn, 'name'>]: string | null };

/** A fault of one field. */
interface ContactCsvFault {
  readonly column: ContactCsvColumn;
  readonly detail: string;
}

const maxLength: Readonly<Record<ContactCsvColumn, number>> = {
  name: 200,
  email: 320,
  phone_number: 32,
  company: 200,
  source: 100,
  notes: 5000,
};
const emailForm = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const phoneForm = /^\+?[\d ()./-]{4,31}$/;
/** An apostrophe that exports put before a cell so that spreadsheets do not run it as a formula. */
const formulaGuard = /^'(?=[=+\-@\t\r])/;

/**
 * Reads the fields of one row. Surrounding blanks are removed; an empty field is null.
 *
 * @param fields text by column, as the parser returns it.
 * @returns the row, or all of its faults.
 */
export function readContactCsvRow(
  fields: Partial<Readonly<Record<ContactCsvColumn, string>>>,
): { readonly row: ContactCsvRow } | { readonly faults: readonly ContactCsvFault[] } {
  const faults: ContactCsvFault[] = [];
  const read = (column: ContactCsvColumn): string | null => {
    const value = (fields[column] ?? '').replace(formulaGuard, '').trim();
    const detail = value === '' ? null : faultOf(column, value);
    if (detail !== null) faults.push({ column, detail });
    return value === '' || detail !== null ? null : value;
  };
  const name = read('name');
  const rest = {
    email: read('email')?.toLowerCase() ?? null,
    phone_number: read('phone_number'),
    company: read('company'),
    source: read('source'),
    notes: read('notes'),
  };
  if (name === null && !faults.some(({ column }) => column === 'name')) faults.push({ column: 'name', detail: 'is missing' });
  return name === null || faults.length > 0 ? { faults } : { row: { name, ...rest } };
}

function faultOf(column: ContactCsvColumn, value: string): string | null {
  if (value.length > maxLength[column]) return `has at most ${maxLength[column]} characters`;
  if (!isStorable(value)) return 'holds a character that cannot be stored';
  if (column === 'email' && !emailForm.test(value)) return 'is no e-mail address';
  if (column === 'phone_number' && !phoneForm.test(value)) return 'is no phone number';
  return null;
}
