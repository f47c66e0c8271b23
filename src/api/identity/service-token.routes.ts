import { z } from 'zod';
import { listServiceTokens } from '../../services/identity/sign-in/service-token.queries.ts';
import { createServiceToken as issueToken, revokeServiceToken as revokeToken } from '../../services/identity/sign-in/service-token.service.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { reply, route } from '../http/route.ts';
import { newServiceTokenView, serviceTokenCreation, serviceTokenView } from './service-token.schemas.ts';

const tag = 'service_token';

const getServiceTokens = route({
  operationId: 'getServiceTokens',
  method: 'get',
  path: '/admin/service-tokens',
  tag,
  summary: 'Service tokens, newest first',
  permission: 'service-token:read',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(serviceTokenView) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query, deps, scope }) => newestPage(await listServiceTokens(deps.db, scope, query), query.limit),
});

const createServiceToken = route({
  operationId: 'createServiceToken',
  method: 'post',
  path: '/admin/service-tokens',
  tag,
  summary: 'Issue a service token; the token is shown once',
  permission: 'service-token:manage',
  gate: 'mfa',
  body: serviceTokenCreation,
  responses: { 201: newServiceTokenView },
  problems: ['mfa.required', 'role.grant-exceeds-own'],
  handler: ({ body, change }) => change(async (tx) => reply(201, await issueToken(tx, body))),
});

const revokeServiceToken = route({
  operationId: 'revokeServiceToken',
  method: 'delete',
  path: '/admin/service-tokens/:id',
  tag,
  summary: 'Revoke a service token; every process refuses it within a second',
  permission: 'service-token:manage',
  gate: 'mfa',
  params: idParams,
  responses: { 204: null },
  problems: ['mfa.required', 'resource.not-found'],
  handler: ({ params, change }) =>
    change(async (tx) => {
      await revokeToken(tx, params.id);
      return null;
    }),
});

/** What applications and machines call with. */
export const serviceTokenRoutes = [getServiceTokens, createServiceToken, revokeServiceToken];
