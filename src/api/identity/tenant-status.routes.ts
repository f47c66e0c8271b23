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
    version: z.int().describe('Grows with every change of the tenant'),
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
  summary: 'Shut a tenant out; for the staff of the default tenant',
  description:
    'Its sessions end, and sign-ins, refresh tokens, service tokens and onboarding links of it are refused within a ' +
    'second on every process. Schedules pass it over; timers of what already waits go on. Its data stays.',
  handler: (context) => setStatus(context, 'suspended'),
});

const resumeTenant = route({
  ...common,
  operationId: 'resumeTenant',
  path: '/tenants/:id/resume',
  aliases: ['/api/v1/tenants/:id/resume'],
  summary: 'Let a suspended tenant in again; its people sign in anew',
  handler: (context) => setStatus(context, 'active'),
});

async function setStatus({ actor, params: { id }, body, request, unitOfWork }: Context, status: 'active' | 'suspended') {
  assertDefaultTenant(actor);
  assertNotDefaultTenant(id);
  const expected = expectedVersion(request.ifMatch);
  const version = await unitOfWork((tx) => setTenantStatus(tx, id, expected, { status, reason: body.reason }));
  return reply(200, { id, status, version }, { etag: versionEtag(version) });
}

export const tenantStatusRoutes = [suspendTenant, resumeTenant];
