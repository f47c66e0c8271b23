import type { z } from 'zod';
import { isStorable } from '../domain/shared/storable-json.ts';
import { wordsOf } from './input-words.ts';

/** What is invalid about one field of a row. */
interface CsvFault<Column extends string> {
  readonly column: Column;
  readonly detail: string;
}

/** A valid row, or all of its faults. */
export type CsvRowResult<Column extends string, Row> =
  | { readonly row: Row }
  | { readonly faults: readonly CsvFault<Column>[] };

/** How the rows of one kind of file are read. */
export interface CsvRowFormat<Column extends string, Row> {
  readonly columns: readonly Column[];
  /** The schema of the same fields in a JSON body: it alone decides what is valid and how it is normalized. */
  readonly schema: z.ZodType<Row>;
  /** Columns of whole numbers without a sign, which are numbers in JSON, with what is reported about a cell that holds anything else. */
  readonly numbers?: Readonly<Partial<Record<Column, string>>>;
}

type Body<Column extends string> = Partial<Record<Column, string | number>>;

/** The apostrophe that an export puts before what a spreadsheet would run as a formula (OWASP, CSV injection). */
const formulaGuard = /^'(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])/;
const wholeNumber = /^\d+$/;

/**
 * Makes the reader of the rows of a file: the cells become the object that a JSON body would be. Surrounding blanks and the
 * apostrophe before a formula are removed, an empty cell is an absent field, and the text of a number is a number.
 *
 * @param header the name of each cell; cells that are not of the format are left to the caller.
 */
export function csvRowReader<Column extends string, Row>(
  format: CsvRowFormat<Column, Row>,
  header: readonly string[],
): (record: readonly (string | undefined)[]) => CsvRowResult<Column, Row> {
  const { columns, schema, numbers = {} } = format;
  const fields = columns
    .map((column) => ({ column, index: header.indexOf(column), isNumber: column in numbers }))
    .filter(({ index }) => index !== -1);

  return (record) => {
    const body: Body<Column> = {};
    let isRowStorable = true;
    for (const { column, index, isNumber } of fields) {
      const text = cellText(record[index]);
      if (text === '') continue;
      body[column] = isNumber && wholeNumber.test(text) ? Number(text) : text;
      if (!isStorable(text)) isRowStorable = false;
    }
    const result = schema.safeParse(body, { error: wordsOf });
    if (result.success && isRowStorable) return { row: result.data };
    return { faults: faultsOf(format, body, result.error?.issues ?? []) };
  };
}

/** The first fault of each column: those of cells in the order of the columns, then fields that are missing. */
function faultsOf<Column extends string>(
  { columns, numbers }: Pick<CsvRowFormat<Column, unknown>, 'columns' | 'numbers'>,
  body: Body<Column>,
  issues: readonly z.core.$ZodIssue[],
): CsvFault<Column>[] {
  const faultOf = (column: Column): CsvFault<Column>[] => {
    const value = body[column];
    if (typeof value === 'string' && !isStorable(value)) {
      return [{ column, detail: 'holds a character that cannot be stored' }];
    }
    const issue = issues.find(({ path: [name] }) => name === column);
    if (issue === undefined) return [];
    const noNumber = typeof value === 'string' ? numbers?.[column] : undefined;
    return [{ column, detail: noNumber ?? issue.message }];
  };
  const isPresent = (column: Column) => body[column] !== undefined;
  return [...columns.filter(isPresent), ...columns.filter((column) => !isPresent(column))].flatMap(faultOf);
}

/** The text of a cell without surrounding blanks and without the apostrophe before a formula. */
export function cellText(cell: string | undefined): string {
  if (cell === undefined) return '';
  return (cell.startsWith("'") ? cell.replace(formulaGuard, '') : cell).trim();
}
