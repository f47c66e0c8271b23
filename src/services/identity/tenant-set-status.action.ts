import { z } from 'zod';
import { read } from '../../platform/database/read.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { reasonText, uuid } from '../../platform/value-schemas.ts';
import { defineAction } from '../actions/action.ts';
import { assertDefaultTenant } from './platform-staff.ts';
import { takesTwo } from './role/decider.queries.ts';
import { findTenantById, tenantStatusById, tenantTitle } from './tenant.queries.ts';
import { assertNotDefaultTenant, setTenantStatus } from './tenant.service.ts';

const tenantSetStatusPayload = z.strictObject({
  tenant_id: uuid,
  status: z.enum(['active', 'suspended']),
  version: rowVersion,
  reason: reasonText,
});

/**
 * Suspends or resumes a tenant, for the staff of the platform. One person alone could shut a customer out, so it takes two
 * once the staff has a pair.
 */
export const tenantSetStatus = defineAction({
  name: 'tenant.set-status',
  title: 'Suspend or resume a tenant',
  permission: 'tenant:manage',
  payload: tenantSetStatusPayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: ['pair'], gate: async (db, scope) => ((await takesTwo(db, scope)) ? 'approval' : 'mfa') },
  reason: ({ reason }) => reason,
  describe: ({ tenant_id, status }) => `${verbs[status]} the tenant ${tenant_id}.`,
  present: async (db, scope, { tenant_id, status }) => {
    const [tenant] = await read(db, scope, findTenantById(tenant_id));
    return {
      description: `${verbs[status]} the tenant ${tenantTitle(tenant_id, tenant)}.`,
      changes: [{ field: 'status', before: tenant?.status ?? null, after: status }],
    };
  },
  basis: ({ tenant_id, version }) => ({
    base_version: version,
    judged_by: 'touched',
    // The tenant's own people write its other values.
    query: tenantStatusById(tenant_id),
  }),
  check: async (tx, { tenant_id, status, version }) => {
    assertDefaultTenant(tx.actor);
    assertNotDefaultTenant(tenant_id);
    const [tenant] = await read(tx, tx.actor, findTenantById(tenant_id));
    if (tenant === undefined) throw notFound('tenant');
    assertVersion(tenant, version);
    if (tenant.status === status) throw new Problem({ code: 'resource.conflict', detail: `The tenant is ${status} already.` });
  },
  execute: async (tx, { tenant_id, status, version, reason }) => {
    assertDefaultTenant(tx.actor);
    assertNotDefaultTenant(tenant_id);
    return { tenant_id, status, version: await setTenantStatus(tx, tenant_id, version, { status, reason }) };
  },
  undo: () => null,
});

const verbs = { active: 'Resume', suspended: 'Suspend' } as const;
