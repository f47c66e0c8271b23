import { isStorable } from '../shared/storable-json.ts';

/** Columns of the prospect file, in the order of the export; an import may leave out all but `name`, in any order. */
export const prospectCsvColumns = [
  'name',
  'company',
  'email',
  'phone',
  'source',
  'stage',
  'value_minor',
  'currency',
  'next_activity_at',
] as const;
export type ProspectCsvColumn = (typeof prospectCsvColumns)[number];

/** A row whose fields are valid. Stage and uniqueness are checked against the database. */
export interface ProspectCsvRow {
  readonly name: string;
  readonly company: string | null;
  /** Lower case. */
  readonly email: string | null;
  readonly phone: string | null;
  readonly source: string | null;
  /** Name of a stage; null: the first one. */
  readonly stage: string | null;
  readonly value_minor: number | null;
  readonly currency: string | null;
  readonly next_activity_at: string | null;
}

/** What is invalid about one field. */
interface CsvFieldFault {
  readonly column: ProspectCsvColumn;
  readonly detail: string;
}

const maxLength: Readonly<Record<'name' | 'company' | 'email' | 'phone' | 'source' | 'stage', number>> = {
  name: 255,
  company: 255,
  email: 320,
  phone: 32,
  source: 100,
  stage: 100,
};
const maxValueMinor = 1_000_000_000_000;
const emailForm = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const phoneForm = /^\+?[\d ()./-]{4,31}$/;
const currencyForm = /^[A-Z]{3}$/;
const instantForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Validates the fields of one row. Surrounding blanks are removed, and so is the apostrophe that the export puts before a
 * formula; an empty field is null.
 *
 * @param fields text by column, as the parser gives it.
 * @returns the row, or all of its faults.
 */
export function readProspectCsvRow(
  fields: Partial<Readonly<Record<ProspectCsvColumn, string>>>,
): { readonly row: ProspectCsvRow } | { readonly faults: readonly CsvFieldFault[] } {
  const faults: CsvFieldFault[] = [];
  const fault = (column: ProspectCsvColumn, detail: string): null => {
    faults.push({ column, detail });
    return null;
  };
  const text = (column: ProspectCsvColumn): string | null => {
    const value = withoutFormulaGuard(fields[column] ?? '').trim();
    return value === '' ? null : value;
  };
  const bounded = (column: keyof typeof maxLength): string | null => {
    const value = text(column);
    if (value === null) return null;
    if (value.length > maxLength[column]) return fault(column, `has at most ${maxLength[column]} characters`);
    return isStorable(value) ? value : fault(column, 'holds a character that cannot be stored');
  };
  const shaped = (column: 'email' | 'phone', form: RegExp, detail: string): string | null => {
    const value = bounded(column);
    return value === null || form.test(value) ? value : fault(column, detail);
  };
  const row = {
    name: bounded('name'),
    company: bounded('company'),
    email: shaped('email', emailForm, 'is no e-mail address')?.toLowerCase() ?? null,
    phone: shaped('phone', phoneForm, 'is no phone number'),
    source: bounded('source'),
    stage: bounded('stage'),
    value_minor: readValue(text('value_minor'), fault),
    currency: readCurrency(text('currency'), fault),
    next_activity_at: readInstant(text('next_activity_at'), fault),
  };
  const { name } = row;
  if (name === null) {
    if (!faults.some(({ column }) => column === 'name')) fault('name', 'is missing');
    return { faults };
  }
  return faults.length > 0 ? { faults } : { row: { ...row, name } };
}

type Fault = (column: ProspectCsvColumn, detail: string) => null;

function readValue(text: string | null, fault: Fault): number | null {
  if (text === null) return null;
  const value = /^\d{1,13}$/.test(text) ? Number(text) : Number.NaN;
  return value <= maxValueMinor ? value : fault('value_minor', 'is a whole number of minor units, such as 150000 for 1,500.00');
}

function readCurrency(text: string | null, fault: Fault): string | null {
  return text === null || currencyForm.test(text) ? text : fault('currency', 'is a code of three capital letters');
}

function readInstant(text: string | null, fault: Fault): string | null {
  if (text === null) return null;
  const instant = instantForm.test(text) ? new Date(text) : new Date(Number.NaN);
  return Number.isNaN(instant.getTime())
    ? fault('next_activity_at', 'is a time with zone, such as 2026-01-31T09:00:00Z')
    : instant.toISOString();
}

/** The apostrophe that the export puts before what a spreadsheet would run as a formula (OWASP, CSV injection). */
const guarded = /^'(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])/;

function withoutFormulaGuard(cell: string): string {
  return cell.replace(guarded, '');
}
