/**
 * Statements that read or change rows of tenants. Migrations run in the name of the tables' owner, from whom FORCE row-level
 * security hides every row: without this they change nothing, and say nothing.
 *
 * @param tables all tables with tenants' rows that the statements name.
 */
export function overAllRows(tables: readonly string[], statements: readonly string[]): string[] {
  const alter = (force: 'force' | 'no force') => tables.map((table) => `alter table ${table} ${force} row level security`);
  return [...alter('no force'), ...statements, ...alter('force')];
}
