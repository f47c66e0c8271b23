import { sql } from 'kysely';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { parseCursor, timePosition } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

function tenantQuery(id: string) {
  return kysely.selectFrom('tenants').where('id', '=', id).selectAll();
}

type TenantRow = Awaited<ReturnType<ReturnType<typeof tenantQuery>['executeTakeFirstOrThrow']>>;

/** The own tenant as it stands. */
export async function ownTenant(db: ReadSource, scope: ReadScope) {
  const [tenant] = await read(db, scope, tenantQuery(scope.tenant_id));
  if (tenant === undefined) throw notFound('tenant');
  return tenant;
}

/**
 * A page of all tenants, newest first, and one more to tell whether another follows; for the staff of the default
 * tenant. It is a function of the database because row-level security shows nobody another tenant.
 *
 * @throws Problem `request.cursor-invalid`.
 */
export function listTenants(db: ReadSource, scope: ReadScope, { limit, cursor }: Page) {
  const [createdAt, id] = parseCursor(cursor, timePosition) ?? [null, null];
  const list = sql<TenantRow>`select * from tenant_list(${createdAt}::timestamptz, ${id}::uuid, ${limit + 1}::int)`;
  return read(db, scope, { compile: () => list.compile(kysely) });
}

/** No installation has more. */
const allTenants = 1_000_000;

/** One tenant, for the staff of the default tenant; nobody else finds any. */
export function findTenantById(tenantId: string) {
  const found = sql<Pick<TenantRow, 'id' | 'name' | 'domain' | 'status' | 'version'>>`
    select id, name, domain, status, version from tenant_list(null, null, ${allTenants}::int) where id = ${tenantId}::uuid`;
  return { compile: () => found.compile(kysely) };
}

/** Version and status of one tenant, for the staff of the default tenant. */
export function tenantStatusById(tenantId: string) {
  const found = sql<{ version: number; touched: JsonObject }>`
    select version, jsonb_build_object('status', status) as touched from tenant_list(null, null, ${allTenants}::int)
    where id = ${tenantId}::uuid`;
  return { compile: () => found.compile(kysely) };
}

/** Name and domain of a tenant as approvers of the staff read them; its id when it is not there. */
export function tenantTitle(tenantId: string, tenant: Pick<TenantRow, 'name' | 'domain'> | undefined): string {
  return tenant === undefined ? tenantId : `${tenant.name} (${tenant.domain})`;
}
