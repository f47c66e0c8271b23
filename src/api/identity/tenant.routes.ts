import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { query as select } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { assertVersion, expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { hashInitialPassword } from '../../services/identity/initial-password.service.ts';
import { assertDefaultTenant } from '../../services/identity/platform-staff.ts';
import { newestPage, pageOf, pageQuery, parseCursor, timePosition } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { email, passwordInput, phoneNumber, timeZone, timestamp } from '../../platform/value-schemas.ts';

const settings = {
  name: z.string().trim().min(1).max(200),
  country: z.string().regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 alpha-2 code'),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code'),
  time_zone: timeZone,
  id_document_type: z.enum(['none', 'cpf', 'pan']),
};

const domain = z
  .string()
  .max(253)
  .toLowerCase()
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'must be a domain name');

const tenantView = z
  .object({
    id: z.uuid(),
    ...settings,
    time_zone: z.string(),
    domain: z.string(),
    status: z.enum(['active', 'suspended']),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.number().int(),
  })
  .meta({ id: 'Tenant' });

type TenantRow = z.output<typeof tenantView>;
type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function showTenant(read: Read, tenantId: string) {
  const [row] = await read(select.selectFrom('tenants').where('id', '=', tenantId).selectAll());
  if (row === undefined) throw notFound('tenant');
  return reply(200, row, { etag: versionEtag(row.version) });
}

const getTenant = route({
  operationId: 'getTenant',
  method: 'get',
  path: '/admin/tenant',
  tag: 'tenant',
  summary: 'The own tenant',
  permission: 'tenant:read',
  gate: 'none',
  responses: { 200: tenantView },
  handler: ({ actor, read }) => showTenant(read, actor.tenant_id),
});

const updateTenant = route({
  operationId: 'updateTenant',
  method: 'put',
  path: '/admin/tenant',
  tag: 'tenant',
  summary: 'Change the own tenant; what is left out stays',
  permission: 'tenant:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  body: z
    .strictObject(settings)
    .partial()
    .refine((body) => Object.keys(body).length > 0, { message: 'Change something.' })
    .meta({ id: 'TenantUpdate' }),
  responses: { 200: tenantView },
  problems: ['resource.version-mismatch'],
  handler: async ({ actor, body, request, read, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    await unitOfWork(async (tx) => {
      const before = await tx.sql
        .selectFrom('tenants')
        .where('id', '=', actor.tenant_id)
        .select(['name', 'country', 'currency', 'time_zone', 'id_document_type', 'version'])
        .forNoKeyUpdate()
        .executeTakeFirstOrThrow();
      assertVersion(before, version);
      await tx.sql
        .updateTable('tenants')
        .set({ ...body, version: version + 1, updated_at: sql<string>`now()` })
        .where('id', '=', actor.tenant_id)
        .execute();
      tx.audit({
        event: 'tenant.update',
        action: 'update',
        resource_type: 'tenant',
        resource_id: actor.tenant_id,
        old_values: before,
        new_values: body,
      });
    });
    return showTenant(read, actor.tenant_id);
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
  handler: async ({ actor, query, read }) => {
    assertDefaultTenant(actor);
    const [createdAt, id] = parseCursor(query.cursor, timePosition) ?? [null, null];
    const asked = query.limit + 1;
    const list = sql<TenantRow>`select * from tenant_list(${createdAt}::timestamptz, ${id}::uuid, ${asked}::int)`;
    const rows = await read({ compile: () => list.compile(select) });
    return newestPage(rows, query.limit);
  },
});

const createTenant = route({
  operationId: 'createTenant',
  method: 'post',
  path: '/tenants',
  aliases: ['/api/v1/tenants'],
  tag: 'tenant',
  summary: 'Create a tenant with its first super admin; for the staff of the default tenant',
  permission: 'tenant:manage',
  gate: 'mfa',
  body: z
    .strictObject({
      name: settings.name,
      domain,
      country: settings.country.default('IN'),
      currency: settings.currency.default('INR'),
      time_zone: settings.time_zone.default('UTC'),
      id_document_type: settings.id_document_type.default('none'),
      super_admin: z.strictObject({
        full_name: z.string().trim().min(1).max(200),
        email,
        phone_number: phoneNumber.nullable().default(null),
        password: passwordInput,
      }),
    })
    .meta({ id: 'TenantCreation' }),
  responses: { 201: z.object({ id: z.uuid(), super_admin_id: z.uuid() }) },
  problems: ['resource.conflict', 'request.invalid'],
  handler: async ({ actor, body, deps, unitOfWork }) => {
    assertDefaultTenant(actor);
    const { super_admin: person, ...tenant } = body;
    const password_hash = await hashInitialPassword(deps, person.password, person, '/super_admin/password');
    const [id, superAdminId] = [randomUUID(), randomUUID()];
    await unitOfWork(async (tx) => {
      // Row-level security lets nobody write into a tenant that is not theirs; this function is the one door.
      await sql`select tenant_create(
        ${id}::uuid, ${tenant.name}, ${tenant.domain}, ${tenant.country}, ${tenant.currency}, ${tenant.time_zone},
        ${tenant.id_document_type}, ${superAdminId}::uuid, ${person.email}, ${person.phone_number}, ${password_hash},
        ${person.full_name})`.execute(tx.sql);
      tx.audit({
        event: 'tenant.create',
        action: 'create',
        resource_type: 'tenant',
        resource_id: id,
        new_values: { ...tenant, super_admin: { id: superAdminId, email: person.email } },
      });
    });
    return reply(201, { id, super_admin_id: superAdminId }, { location: `/tenants/${id}` });
  },
});

export const tenantRoutes = [getTenant, updateTenant, getTenants, createTenant];
