import { z } from 'zod';
import { accountLinkPurposes } from '../../entities/identity/account-link.entity.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';
import { email, idParams, timestamp, personName, reasonText, uuid } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { namingPageQuery, namingQuery, namingStates } from '../../services/identity/administrator-naming/administrator-naming.queries.ts';
import { takeBackNaming } from '../../services/identity/administrator-naming/administrator-naming.service.ts';
import { tenantNameAdministrator } from '../../services/identity/administrator-naming/name-administrator.action.ts';
import { assertDefaultTenant } from '../../services/identity/platform-staff.ts';
import { findTenantById } from '../../services/identity/tenant.queries.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';

const tag = 'tenant';

const naming = z
  .object({
    id: uuid,
    tenant_id: uuid,
    email: z.string(),
    full_name: z.string(),
    purpose: z.enum(accountLinkPurposes),
    reason: z.string(),
    state: z.enum(namingStates),
    named_by: uuid.nullable(),
    named_by_name: z.string().nullable(),
    approval_id: uuid.nullable().describe('The request of the staff; null for the first administrators of a new tenant'),
    user_id: uuid.nullable().describe('The account in the tenant; null until the link is sent'),
    sent_at: timestamp.nullable(),
    expires_at: timestamp.nullable().describe('Until when the link can be used'),
    used_at: timestamp.nullable(),
    counts_from: timestamp.nullable().describe('From when decisions of the person count; until then the naming can be taken back'),
    taken_back_at: timestamp.nullable(),
    taken_back_by: uuid.nullable(),
    taken_back_by_name: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AdministratorNaming' });

const getTenantAdministrators = route({
  operationId: 'getAdministratorNamings',
  method: 'get',
  path: '/tenants/:id/administrators',
  aliases: ['/api/v1/tenants/:id/administrators'],
  tag,
  summary: 'Whom the staff have named as administrators of a tenant, newest first; for the staff of the default tenant',
  permission: 'tenant:manage',
  gate: 'none',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(naming) },
  problems: ['request.cursor-invalid', 'resource.not-found'],
  handler: async ({ actor, deps, params, query, scope }) => {
    assertDefaultTenant(actor);
    const [tenants, rows] = await readAll(deps.db, scope, [findTenantById(params.id), namingPageQuery(params.id, query)]);
    if (tenants.length === 0) throw notFound('tenant');
    return newestPage(rows, query.limit);
  },
});

const newNaming = z
  .strictObject({ email, full_name: personName, reason: reasonText })
  .meta({ id: 'AdministratorNamingRequest' });

const payloadOf = ({ params, body }: { params: { id: string }; body: z.output<typeof newNaming> }) => ({
  tenant_id: params.id,
  ...body,
});

const nameTenantAdministrator = route({
  operationId: 'nameAdministrator',
  method: 'post',
  path: '/tenants/:id/administrators',
  aliases: ['/api/v1/tenants/:id/administrators'],
  tag,
  summary: 'Name an administrator of a tenant that cannot help itself; for the staff of the default tenant',
  description:
    'Takes the approval of another member of the staff. The person gets a one-time link by mail to a new password and a new second ' +
    'factor; everybody who decides in the tenant is told, and decisions of the person count 72 hours after the link was used.',
  permission: 'tenant:manage',
  gate: { action: tenantNameAdministrator.name, payload: payloadOf },
  params: idParams,
  body: newNaming,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['resource.not-found', 'resource.conflict'],
  handler: (context) =>
    context.change(async (tx) => {
      await runGatedAction(tx, context, tenantNameAdministrator.prepare(payloadOf(context)));
      return reply(204);
    }),
});

const takeBackTenantAdministrator = route({
  operationId: 'takeBackAdministrator',
  method: 'post',
  path: '/tenants/:id/administrators/:namingId/take-back',
  aliases: ['/api/v1/tenants/:id/administrators/:namingId/take-back'],
  tag,
  summary: 'Take a naming back before the decisions of the person count; for the staff of the default tenant',
  description:
    'Its link is void with the answer. Where it was used already, the account is inactive with the answer, and its sessions and ' +
    'service tokens have ended.',
  permission: 'tenant:manage',
  gate: 'mfa',
  params: z.object({ id: uuid, namingId: uuid }),
  body: z.strictObject({ reason: reasonText }).meta({ id: 'AdministratorTakeBack' }),
  responses: { 200: naming },
  problems: ['mfa.required', 'resource.not-found', 'resource.conflict'],
  handler: ({ actor, params: { id, namingId }, body, change }) => {
    assertDefaultTenant(actor);
    return change(async (tx) => {
      await takeBackNaming(tx, id, namingId, body.reason);
      return present(tx, id, namingId);
    });
  },
});

async function present(tx: Tx, tenantId: string, id: string) {
  const [row] = await read(tx, tx.actor, namingQuery(tenantId, id));
  if (row === undefined) throw notFound('naming');
  return reply(200, row);
}

export const tenantAdministratorRoutes = [getTenantAdministrators, nameTenantAdministrator, takeBackTenantAdministrator];
