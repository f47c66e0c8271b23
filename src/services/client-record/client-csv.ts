import { z } from 'zod';
import type { ClientAddress } from '../../domain/client-record/client.ts';
import { maskedCpfPattern } from '../../domain/shared/document-number.ts';
import type { CsvFileFormat } from '../../platform/csv-file.ts';
import { cpfInput } from '../../platform/document-numbers.ts';
import { clientAddress, clientCreation } from './client.payload.ts';
import type { ClientValues } from './client.payload.ts';
import { clientIssues } from './client.service.ts';
import type { ClientRules } from './client.service.ts';

/** Columns of a file of clients, in the order of the export; an import may leave out all but `name`, in any order. */
export const clientCsvColumns = [
  'kind',
  'name',
  'cpf',
  'cnpj',
  'birth_date',
  'email',
  'phone_number',
  'address_line1',
  'address_line2',
  'address_city',
  'address_region',
  'address_postal_code',
  'address_country',
] as const;
export type ClientCsvColumn = (typeof clientCsvColumns)[number];

/** An export shows numbers in this form, and nobody can tell the number by it. */
const unmaskedCpf = z
  .string()
  .refine((text) => !maskedCpfPattern.test(text), 'is masked; an import needs all eleven digits')
  .pipe(cpfInput)
  .nullable()
  .default(null);

const { kind, name, cnpj, birth_date, email, phone_number } = clientCreation.shape;
const { line1, line2, city, region, postal_code, country } = clientAddress.shape;

/** The cells of a row, each with the schema of its field in a JSON body. */
const clientCsvRow = z.strictObject({
  kind,
  name,
  cpf: unmaskedCpf,
  cnpj,
  birth_date,
  email,
  phone_number,
  address_line1: line1.nullable().default(null),
  address_line2: line2,
  address_city: city,
  address_region: region,
  address_postal_code: postal_code,
  address_country: country,
});
type ClientCsvRow = z.output<typeof clientCsvRow>;

/** How a file of clients is read: by the schemas and by the rules of a JSON body. */
export function clientFileFormat(rules: ClientRules): CsvFileFormat<ClientCsvColumn, ClientCsvRow, ClientValues> {
  return {
    columns: clientCsvColumns,
    required: ['name'],
    schema: clientCsvRow,
    check: (row) => {
      const { address_line1, address_line2, address_city, address_region, address_postal_code, address_country, ...fields } = row;
      const rest = { line2: address_line2, city: address_city, region: address_region, postal_code: address_postal_code, country: address_country };
      const issues = clientIssues(fields, rules).map(({ pointer, detail }) => ({ column: columnOf(pointer), detail }));
      if (address_line1 === null && Object.values(rest).some((part) => part !== null)) {
        issues.push({ column: 'address_line1', detail: 'is missing, where the rest of an address is given' });
      }
      if (issues.length > 0) return { faults: issues };
      return { row: { ...fields, address: address_line1 === null ? null : { line1: address_line1, ...rest } } };
    },
  };
}

/** The rules name fields, which are columns by the same names. */
function columnOf(pointer: string): ClientCsvColumn {
  const column = clientCsvColumns.find((one) => `/${one}` === pointer);
  if (column === undefined) throw new Error(`No column is called ${pointer}.`);
  return column;
}

/** The cells of an address. */
export function addressCells(address: ClientAddress | null) {
  return {
    address_line1: address?.line1 ?? null,
    address_line2: address?.line2 ?? null,
    address_city: address?.city ?? null,
    address_region: address?.region ?? null,
    address_postal_code: address?.postal_code ?? null,
    address_country: address?.country ?? null,
  };
}
