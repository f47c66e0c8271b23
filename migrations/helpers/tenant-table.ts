/**
 * Row-level security of a business table. Frozen: merged migrations depend on its text; a change is a new helper.
 *
 * - `tenant_isolation` is restrictive, so that no later policy can widen it; it reads the setting once per statement.
 * - `app_access` lets the application in, inside its tenant; a restrictive policy alone grants nothing.
 * - FORCE binds the owner too.
 */
export function tenantTable(table: string, tenantColumn = 'tenant_id'): string[] {
  const current = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";
  return [
    `alter table ${table} enable row level security`,
    `alter table ${table} force row level security`,
    `create policy tenant_isolation on ${table} as restrictive to castellan_app
       using (${tenantColumn} = ${current}) with check (${tenantColumn} = ${current})`,
    `create policy app_access on ${table} to castellan_app using (true) with check (true)`,
    `grant select, insert, update, delete on ${table} to castellan_app`,
  ];
}

/** Lets SECURITY DEFINER functions read named columns across tenants; each use is on the tested list. */
export function definerLookup(table: string, columns: string[]): string[] {
  return [
    `create policy definer_lookup on ${table} for select to castellan_definer using (true)`,
    `grant select (${columns.join(', ')}) on ${table} to castellan_definer`,
  ];
}
