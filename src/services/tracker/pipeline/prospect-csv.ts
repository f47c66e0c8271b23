import type { z } from 'zod';
import type { CsvRowFormat } from '../../../platform/csv-row.ts';
import { prospectCreation } from './prospect.payload.ts';

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

/** A row whose fields are valid. Its stage and whether it is unique are checked against the database. */
export type ProspectCsvRow = z.infer<typeof prospectCreation>;

/** The fields of a row; its stage is looked up by name. */
export const prospectCsvFormat: CsvRowFormat<Exclude<ProspectCsvColumn, 'stage'>, ProspectCsvRow> = {
  columns: prospectCsvColumns.filter((column) => column !== 'stage'),
  schema: prospectCreation,
  numbers: { value_minor: 'must be a whole number of minor units, 0 or more, such as 150000 for 1,500.00' },
};
