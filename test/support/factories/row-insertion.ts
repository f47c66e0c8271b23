import { Kysely } from 'kysely';
import type { Insertable, InsertObject, Selectable } from 'kysely';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import { withSuperuser } from '../superuser.ts';
import type { HasDatabase } from '../superuser.ts';

type TableName = keyof CastellanSchema;

/** Where rows go: a database of its own, or a connection of the superuser that is open already. */
export type Target = HasDatabase | Kysely<CastellanSchema>;

/** A row on its way into a table, with SQL expressions for values where wanted. */
export type NewRow<Table extends TableName> = InsertObject<CastellanSchema, Table>;

/** Columns of a row that a test cares about; a factory knows the others. */
export type Columns<Table extends TableName> = Partial<NewRow<Table>>;

/** The same where the row cannot be without some columns, e.g. those that name other rows. */
export type Given<Table extends TableName, Needed extends keyof NewRow<Table>> = Columns<Table> & Pick<NewRow<Table>, Needed>;

/** A row as it is stored. */
export type Row<Table extends TableName> = Selectable<CastellanSchema[Table]>;

/** PostgreSQL takes 65,535 parameters in a statement. */
const rowsPerStatement = 1_000;

/** Inserts rows behind every policy. @returns them in the given order, with what the database has filled in */
export async function insertRows<Table extends TableName>(
  target: Target,
  table: Table,
  rows: readonly NewRow<Table>[],
): Promise<Row<Table>[]> {
  if (!(target instanceof Kysely)) return withSuperuser(target, (db) => insertRows(db, table, rows));
  const inserted: unknown[] = [];
  for (let from = 0; from < rows.length; from += rowsPerStatement) {
    // The values have been checked against the table; Kysely cannot follow a table that is a type parameter.
    const values = rows.slice(from, from + rowsPerStatement) as unknown as Insertable<CastellanSchema['tenants']>[];
    inserted.push(...(await target.insertInto(table as 'tenants').values(values).returningAll().execute()));
  }
  return inserted as Row<Table>[];
}

/** Inserts a row behind every policy. @returns it with what the database has filled in */
export async function insertRow<Table extends TableName>(target: Target, table: Table, row: NewRow<Table>): Promise<Row<Table>> {
  const [inserted] = await insertRows(target, table, [row]);
  if (inserted === undefined) throw new Error(`Nothing was inserted into ${table}.`);
  return inserted;
}
