import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import { allPermissions } from '../../domain/identity/permissions.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { issueServiceToken } from '../../services/identity/service-token-format.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import { idParams, moment, timestamp } from '../../platform/value-schemas.ts';

const tag = 'service_token';

const ServiceTokenBody = z
  .object({
    id: z.uuid(),
    name: z.string(),
    last4: z.string().describe('Last characters of the token, to tell tokens apart'),
    environment: z.enum(environmentNames).nullable(),
    permissions: z.array(z.string()),
    created_by: z.uuid().nullable(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
    revoked_by: z.uuid().nullable(),
  })
  .meta({ id: 'ServiceToken' });

const columns = [
  'id',
  'name',
  'last4',
  'environment',
  'permissions',
  'created_by',
  'created_at',
  'expires_at',
  'revoked_at',
  'revoked_by',
] as const;

const getServiceTokens = route({
  operationId: 'getServiceTokens',
  method: 'get',
  path: '/admin/service-tokens',
  tag,
  summary: 'Service tokens, newest first',
  permission: 'service-token:read',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(ServiceTokenBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor }, read }) => {
    const rows = await read(
      query
        .selectFrom('service_tokens')
        .$call(newestFirst({ limit, cursor }))
        .select(columns),
    );
    return newestPage(rows, limit);
  },
});

const createServiceToken = route({
  operationId: 'createServiceToken',
  method: 'post',
  path: '/admin/service-tokens',
  tag,
  summary: 'Issue a service token; the token is shown once',
  permission: 'service-token:manage',
  gate: 'mfa',
  body: z.strictObject({
    name: z.string().trim().min(1).max(100),
    environment: z.enum(environmentNames).nullable().default(null).describe('Whose flags and configuration it reads'),
    permissions: z
      .array(z.enum(allPermissions as [Permission, ...Permission[]]))
      .min(1)
      .max(20),
    expires_at: moment.nullable().default(null),
  }),
  responses: { 201: ServiceTokenBody.extend({ token: z.string() }).meta({ id: 'NewServiceToken' }) },
  problems: ['mfa.required', 'role.grant-exceeds-own'],
  // The answer is a secret: it is not kept for a repetition.
  idempotency: false,
  handler: async ({ actor, body, unitOfWork }) => {
    const excess = body.permissions.find((permission) => !actor.permissions.includes(permission));
    if (excess !== undefined) {
      throw new Problem({
        code: 'role.grant-exceeds-own',
        detail: `You do not hold the permission ${excess} yourself.`,
      });
    }
    const id = randomUUID();
    const { token, ...kept } = issueServiceToken(actor.tenant_id, id);
    const row = await unitOfWork(async (tx) => {
      const saved = await tx.sql
        .insertInto('service_tokens')
        .values({ id, tenant_id: actor.tenant_id, ...kept, ...body, created_by: actor.user_id })
        .returning(columns)
        .executeTakeFirstOrThrow();
      tx.audit({
        event: 'service-token.create',
        action: 'create',
        resource_type: 'service_token',
        resource_id: id,
        new_values: saved,
      });
      return saved;
    });
    return reply(201, { ...row, token });
  },
});

const revokeServiceToken = route({
  operationId: 'revokeServiceToken',
  method: 'delete',
  path: '/admin/service-tokens/:id',
  tag,
  summary: 'Revoke a service token; it is refused everywhere within a second',
  permission: 'service-token:manage',
  gate: 'mfa',
  params: idParams,
  responses: { 204: null },
  problems: ['mfa.required', 'resource.not-found'],
  handler: async ({ actor, params: { id }, unitOfWork }) => {
    await unitOfWork(async (tx) => {
      const revoked = await tx.sql
        .updateTable('service_tokens')
        .set({ revoked_at: sql<string>`now()`, revoked_by: actor.user_id })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .returning('name')
        .executeTakeFirst();
      if (revoked === undefined) throw notFound('living service token');
      tx.audit({
        event: 'service-token.revoke',
        action: 'delete',
        resource_type: 'service_token',
        resource_id: id,
        old_values: revoked,
      });
      tx.invalidate({ kind: 'service-token', key: id });
    });
    return null;
  },
});

/** What applications and machines call with. */
export const serviceTokenRoutes = [getServiceTokens, createServiceToken, revokeServiceToken];
