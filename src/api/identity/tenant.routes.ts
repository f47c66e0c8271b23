import { z } from 'zod';
import { hashAccountPassword } from '../../services/identity/account-password.service.ts';
import { assertDefaultTenant } from '../../services/identity/platform-staff.ts';
import { listTenants, ownTenant } from '../../services/identity/tenant.queries.ts';
import { createTenant as insertTenant, openTenant, updateTenant as saveTenant } from '../../services/identity/tenant.service.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { reply, route } from '../http/route.ts';
import { tenantCreated, tenantCreation, tenantUpdate, tenantView } from './tenant.schemas.ts';

/** The own tenant with its entity tag. */
async function presentTenant(db: ReadSource, scope: ReadScope) {
  const tenant = await ownTenant(db, scope);
  return reply(200, tenant, { etag: versionEtag(tenant.version) });
}

const getTenant = route({
  operationId: 'getTenant',
  method: 'get',
  path: '/admin/tenant',
  tag: 'tenant',
  summary: 'The caller’s tenant',
  permission: 'tenant:read',
  gate: 'none',
  responses: { 200: tenantView },
  handler: ({ deps, scope }) => presentTenant(deps.db, scope),
});

const updateTenant = route({
  operationId: 'updateTenant',
  method: 'put',
  path: '/admin/tenant',
  tag: 'tenant',
  summary: 'Change the caller’s tenant; omitted fields are unchanged',
  permission: 'tenant:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  body: tenantUpdate,
  responses: { 200: tenantView },
  problems: ['resource.version-mismatch'],
  handler: async ({ body, request, scope, change }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      await saveTenant(tx, version, body);
      return presentTenant(tx, scope);
    });
  },
});

const getTenants = route({
  operationId: 'getTenants',
  method: 'get',
  path: '/tenants',
  aliases: ['/api/v1/tenants'],
  tag: 'tenant',
  summary: 'All tenants, newest first; for the staff of the default tenant',
  permission: 'tenant:manage',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(tenantView) },
  handler: async ({ actor, query, deps, scope }) => {
    assertDefaultTenant(actor);
    return newestPage(await listTenants(deps.db, scope, query), query.limit);
  },
});

const createTenant = route({
  operationId: 'createTenant',
  method: 'post',
  path: '/tenants',
  aliases: ['/api/v1/tenants'],
  tag: 'tenant',
  summary: 'Create a tenant with its first administrators; for the staff of the default tenant',
  permission: 'tenant:manage',
  gate: 'mfa',
  body: tenantCreation,
  responses: { 201: tenantCreated },
  problems: ['resource.conflict', 'request.invalid'],
  handler: async ({ actor, body, deps, change }) => {
    assertDefaultTenant(actor);
    const { super_admin: person, administrators = [], ...tenant } = body;
    if (person === undefined) {
      return change(async (tx) => ({ ...(await openTenant(tx, tenant, administrators)), super_admin_id: null }));
    }
    const password_hash = await hashAccountPassword(deps, person.password, person, '/super_admin/password');
    return change(async (tx) => ({ ...(await insertTenant(tx, tenant, { ...person, password_hash })), naming_ids: [] }));
  },
});

export const tenantRoutes = [getTenant, updateTenant, getTenants, createTenant];
