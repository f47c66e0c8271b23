import { z } from 'zod';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams, reasonText, uuid } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { tenantSetStatus } from '../../services/identity/tenant-set-status.action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

const statusChange = z
  .strictObject({ reason: reasonText })
  .meta({ id: 'TenantStatusChange' });

const tenantStatus = z
  .object({
    id: uuid,
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
  requiresIfMatch: true,
  params: idParams,
  body: statusChange,
  responses: { 200: tenantStatus, 202: ApprovalBody },
  problems: ['resource.not-found', 'resource.version-mismatch', 'resource.conflict'],
} as const;

type Status = z.output<typeof tenantStatus>['status'];

function payloadOf(status: Status) {
  return ({ params, body }: { params: { id: string }; body: Change }, { ifMatch }: { ifMatch: string | null }) => ({
    tenant_id: params.id,
    status,
    version: expectedVersion(ifMatch),
    reason: body.reason,
  });
}

function setStatus(context: Context, status: Status) {
  const { request, params } = context;
  const change = tenantSetStatus.prepare(payloadOf(status)(context, { ifMatch: request.ifMatch }));
  return context.change(async (tx) => {
    const { version } = tenantStatus.pick({ version: true }).parse(await runGatedAction(tx, context, change));
    return reply(200, { id: params.id, status, version }, { etag: versionEtag(version) });
  });
}

const suspendTenant = route({
  ...common,
  operationId: 'suspendTenant',
  path: '/tenants/:id/suspend',
  aliases: ['/api/v1/tenants/:id/suspend'],
  summary: 'Suspend a tenant; for the staff of the default tenant',
  description:
    'Its sessions end, and every process refuses its sign-ins, refresh tokens, service tokens and onboarding links ' +
    'within a second. Schedules skip the tenant; running timers continue. Its data is retained.',
  gate: { action: tenantSetStatus.name, payload: payloadOf('suspended') },
  handler: (context) => setStatus(context, 'suspended'),
});

const resumeTenant = route({
  ...common,
  operationId: 'resumeTenant',
  path: '/tenants/:id/resume',
  aliases: ['/api/v1/tenants/:id/resume'],
  summary: 'Resume a suspended tenant; its users have to sign in again',
  gate: { action: tenantSetStatus.name, payload: payloadOf('active') },
  handler: (context) => setStatus(context, 'active'),
});

export const tenantStatusRoutes = [suspendTenant, resumeTenant];
