import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** A tenant as it is found by its domain. */
export interface FoundTenant {
  readonly id: string;
  readonly name: string;
  readonly domain: string;
  readonly status: 'active' | 'suspended';
}

/**
 * Finds a tenant by its domain, from the default tenant only: row-level security shows nobody another tenant.
 *
 * @returns undefined for none.
 */
export async function findTenant(tx: Tx, domain: string): Promise<FoundTenant | undefined> {
  const { rows } = await sql<FoundTenant>`select * from tenant_find(${domain})`.execute(tx.sql);
  return rows[0];
}

/**
 * Finds a tenant, or creates it without anybody in it, from the default tenant only.
 *
 * @returns the tenant, and whether it is new.
 */
export async function findOrOpenTenant(
  tx: Tx,
  { domain, name }: Pick<FoundTenant, 'domain' | 'name'>,
): Promise<{ tenant: FoundTenant; is_new: boolean }> {
  const id = randomUUID();
  const { rows } = await sql<{ is_new: boolean }>`select tenant_open(${id}::uuid, ${name}, ${domain}) as is_new`.execute(tx.sql);
  const is_new = rows[0]?.is_new === true;
  const tenant = await findTenant(tx, domain);
  if (tenant === undefined) throw new Error('The tenant was neither found nor created.');
  if (is_new) {
    tx.audit({
      event: 'tenant.create',
      action: 'create',
      resource_type: 'tenant',
      resource_id: tenant.id,
      new_values: { name, domain },
    });
  }
  return { tenant, is_new };
}
