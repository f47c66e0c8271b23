import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { TenantEntity } from '../../entities/identity/tenant.entity.ts';
import { putNaming } from './administrator-naming/administrator-naming.service.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** What a tenant may change of itself. */
interface TenantSettings {
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** ISO 4217. */
  readonly currency: string;
  /** IANA name. */
  readonly time_zone: string;
  readonly id_document_type: 'none' | 'cpf' | 'pan';
}

/** The first person of a new tenant. */
interface FirstSuperAdmin {
  readonly full_name: string;
  readonly email: string;
  readonly phone_number: string | null;
  readonly password_hash: string;
}

const columns = ['name', 'country', 'currency', 'time_zone', 'id_document_type', 'version'] as const;

/**
 * Changes the own tenant.
 *
 * The row is read without a lock: an entity's lock excludes the foreign-key checks of every insert in the tenant, an
 * update's own lock does not. Of two concurrent changes the second finds another version when it is flushed.
 *
 * @throws Problem `resource.version-mismatch`.
 */
export async function updateTenant(tx: Tx, version: number, changes: Partial<TenantSettings>): Promise<void> {
  const { tenant_id } = tx.actor;
  const tenant = await tx.em.findOne(TenantEntity, { id: tenant_id });
  if (tenant === null) throw notFound('tenant');
  assertVersion(tenant, version);
  const old_values = toRow(tenant, columns);
  tx.em.assign(tenant, changes);
  await tx.flush();
  tx.audit({
    event: 'tenant.update',
    action: 'update',
    resource_type: 'tenant',
    resource_id: tenant_id,
    old_values,
    new_values: changes,
  });
}

/**
 * Creates a tenant with its first super admin. Row-level security lets nobody write into another tenant, so a function of
 * the database does.
 *
 * @returns the ids of both.
 * @throws the database's unique violation when the domain is taken (409).
 */
export async function createTenant(
  tx: Tx,
  tenant: TenantSettings & { readonly domain: string },
  { full_name, email, phone_number, password_hash }: FirstSuperAdmin,
): Promise<{ id: string; super_admin_id: string }> {
  const [id, super_admin_id] = [randomUUID(), randomUUID()];
  await sql`select tenant_create(
    ${id}::uuid, ${tenant.name}, ${tenant.domain}, ${tenant.country}, ${tenant.currency}, ${tenant.time_zone},
    ${tenant.id_document_type}, ${super_admin_id}::uuid, ${email}, ${phone_number}, ${password_hash},
    ${full_name})`.execute(tx.sql);
  tx.audit({
    event: 'tenant.create',
    action: 'create',
    resource_type: 'tenant',
    resource_id: id,
    new_values: { ...tenant, super_admin: { id: super_admin_id, email } },
  });
  return { id, super_admin_id };
}

/**
 * Creates a tenant whose first administrators are named: each gets a link by mail, and until one is used nobody is in.
 *
 * @returns its id, and those of the namings in the order of the people.
 * @throws the database's unique violation when the domain is taken (409).
 */
export async function openTenant(
  tx: Tx,
  tenant: TenantSettings & { readonly domain: string },
  people: readonly Pick<FirstSuperAdmin, 'email' | 'full_name'>[],
): Promise<{ id: string; naming_ids: string[] }> {
  const id = randomUUID();
  await sql`select tenant_create_empty(${id}::uuid, ${tenant.name}, ${tenant.domain}, ${tenant.country}, ${tenant.currency},
    ${tenant.time_zone}, ${tenant.id_document_type})`.execute(tx.sql);
  tx.audit({ event: 'tenant.create', action: 'create', resource_type: 'tenant', resource_id: id, new_values: { ...tenant } });
  const naming_ids: string[] = [];
  for (const { email, full_name } of people) {
    const why = { purpose: 'first_administrator', reason: 'The tenant is new.', approval_id: null } as const;
    naming_ids.push(await putNaming(tx, { named_tenant_id: id, email, full_name, ...why }));
  }
  return { id, naming_ids };
}

/** @throws Problem `resource.conflict` for the default tenant, which runs the platform. */
export function assertNotDefaultTenant(tenantId: string): void {
  if (tenantId !== defaultTenantId) return;
  throw new Problem({ code: 'resource.conflict', detail: 'The default tenant runs the platform and stays active.' });
}

/**
 * Suspends or resumes another tenant.
 *
 * @returns the tenant's new version.
 * @throws Problem 404, `resource.version-mismatch`, `resource.conflict` when it is in that state already.
 */
export async function setTenantStatus(
  tx: Tx,
  id: string,
  version: number,
  { status, reason }: { readonly status: 'active' | 'suspended'; readonly reason: string },
): Promise<number> {
  const call = sql<{ changed: boolean; status: string; version: number }>`
    select * from tenant_set_status(${id}::uuid, ${status}, ${version}::int)`;
  const [found] = (await call.execute(tx.sql)).rows;
  if (found === undefined) throw notFound('tenant');
  if (!found.changed) {
    assertVersion(found, version);
    throw new Problem({ code: 'resource.conflict', detail: `The tenant is ${status} already.` });
  }
  tx.invalidate({ kind: 'tenant', key: id });
  tx.audit({
    event: status === 'suspended' ? 'tenant.suspend' : 'tenant.resume',
    action: 'update',
    resource_type: 'tenant',
    resource_id: id,
    new_values: { status, reason },
  });
  return found.version;
}
