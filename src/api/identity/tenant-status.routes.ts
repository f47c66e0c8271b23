import { z } from 'zod';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { assertDefaultTenant } from '../../services/identity/platform-staff.ts';
import { assertNotDefaultTenant, setTenantStatus } from '../../services/identity/tenant.service.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

const statusChange = z
  .strictObject({ reason: z.string().trim().min(1).max(500) })
  .meta({ id: 'TenantStatusChange' });

const tenantStatus = z
  .object({
    id: z.uuid(),
    status: z.enum(['active', 'suspended']),
    version: z.int().describe('Increases with every change of the tenant'),
  })
  .meta({ id: 'TenantStatus' });

type Change = z.output<typeof statusChange>;
type Context = HandlerContext<z.output<typeof idParams>, unknown, Change>;

const common = {
  method: 'post',
  tag: 'tenant',
  permission: 'tenant:manage',
  gate: 'mfa',
  requiresIfMatch: true,
  params: idParams,
  body: statusChange,
  responses: { 200: tenantStatus },
  problems: ['resource.not-found', 'resource.version-mismatch', 'resource.conflict'],
} as const;

const suspendTenant = route({
  ...common,
  operationId: 'suspendTenant',
  path: '/tenants/:id/suspend',
  aliases: ['/api/v1/tenants/:id/suspend'],
  summary: 'Suspend a tenant; for the staff of the default tenant',
  description:
    'Its sessions end, and every process refuses its sign-ins, refresh tokens, service tokens and onboarding links ' +
    'within a second. Schedules skip the tenant; running timers continue. Its data is retained.',
  handler: (context) => setStatus(context, 'suspended'),
});

const resumeTenant = route({
  ...common,
  operationId: 'resumeTenant',
  path: '/tenants/:id/resume',
  aliases: ['/api/v1/tenants/:id/resume'],
  summary: 'Resume a suspended tenant; its users have to sign in again',
  handler: (context) => setStatus(context, 'active'),
});

async function setStatus({ actor, params: { id }, body, request, change }: Context, status: 'active' | 'suspended') {
  assertDefaultTenant(actor);
  assertNotDefaultTenant(id);
  const expected = expectedVersion(request.ifMatch);
  return change(async (tx) => {
    const version = await setTenantStatus(tx, id, expected, { status, reason: body.reason });
    return reply(200, { id, status, version }, { etag: versionEtag(version) });
  });
}

export const tenantStatusRoutes = [suspendTenant, resumeTenant];
