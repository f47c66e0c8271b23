import { z } from 'zod';
import { redactChange } from '../../domain/audit/audit-redaction.ts';
import { integrationKinds } from '../../domain/integration/integration.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { readAll } from '../../platform/database/read.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { assertPermittedAddresses } from '../../services/integration/integration-addresses.service.ts';
import {
  integrationConfig,
  integrationEnvironment,
  integrationKeyId,
  integrationName,
  integrationSecret,
  syncEverySeconds,
} from '../../services/integration/integration.payload.ts';
import {
  assertIntegrationListed,
  findIntegration,
  integrationOfList,
  integrationsQuery,
  recordsQuery,
} from '../../services/integration/integration.queries.ts';
import { releaseIntegration } from '../../services/integration/integration-quarantine.service.ts';
import { integrationConfigure, integrationDelete } from '../../services/integration/integration-configure.action.ts';
import { changeIntegration, createIntegration, sealSecret } from '../../services/integration/integration.service.ts';
import { startIntegrationSweep } from '../../services/integration/integration-sweep.client.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { IntegrationBody, IntegrationRecordBody, presentIntegration } from './integration.schemas.ts';

const tag = 'integration';

const getIntegrations = route({
  operationId: 'getIntegrations',
  method: 'get',
  path: '/admin/integrations',
  tag,
  summary: 'Integrations, newest first; secrets are masked',
  permission: 'integration:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    kind: z.enum(integrationKinds).optional(),
    environment: integrationEnvironment.optional(),
  }),
  responses: { 200: pageOf(IntegrationBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, kind, environment }, deps, read }) => {
    const rows = await read(integrationsQuery({ kind, environment }).$call(newestFirst({ limit, cursor })));
    return newestPage(rows, limit, (row) => presentIntegration(row, deps.env.PUBLIC_URL));
  },
});

const getIntegrationDetails = route({
  operationId: 'getIntegrationDetails',
  method: 'get',
  path: '/admin/integrations/:id',
  tag,
  summary: 'One integration; send its ETag as If-Match to change it',
  permission: 'integration:read',
  gate: 'none',
  params: idParams,
  responses: { 200: IntegrationBody },
  problems: ['resource.not-found'],
  handler: async ({ params, deps, scope }) => {
    const row = await findIntegration(deps.db, scope, params.id);
    return reply(200, presentIntegration(row, deps.env.PUBLIC_URL), { etag: versionEtag(row.version) });
  },
});

const secretInput = integrationSecret
  .nullable()
  .default(null)
  .describe('API key, client secret, signing secret or password, by kind; null generates one for a webhook source');

const createIntegrationRoute = route({
  operationId: 'createIntegration',
  method: 'post',
  path: '/admin/integrations',
  tag,
  summary: 'Connect a remote system',
  description: 'Addresses must be public; they are checked now and at every call.',
  permission: 'integration:manage',
  gate: 'mfa',
  body: z.strictObject({
    name: integrationName,
    environment: integrationEnvironment,
    config: integrationConfig,
    secret: secretInput,
    key_id: integrationKeyId.nullable().default(null).describe('Needed for rotation, to revoke the old key'),
    sync_every_seconds: syncEverySeconds.default(null),
  }),
  responses: { 201: IntegrationBody },
  problems: ['mfa.required', 'resource.conflict'],
  handler: async ({ body, deps, change }) => {
    await assertPermittedAddresses(deps.outbound, body.config);
    return change(async (tx) => {
      const row = await createIntegration(tx, deps.keyring, body);
      if (row.sync_every_seconds !== null) tx.after(() => startIntegrationSweep(deps, row.id));
      return reply(201, presentIntegration(row, deps.env.PUBLIC_URL), { etag: versionEtag(row.version) });
    });
  },
});

const updateIntegration = route({
  operationId: 'updateIntegration',
  method: 'patch',
  path: '/admin/integrations/:id',
  tag,
  summary: 'Rename, disable or enable an integration, or set its schedule',
  permission: 'integration:manage',
  gate: 'mfa',
  params: idParams,
  body: z
    .strictObject({
      name: integrationName.optional(),
      is_enabled: z.boolean().optional(),
      sync_every_seconds: syncEverySeconds.optional(),
    })
    .refine((body) => Object.keys(body).length > 0, 'Give at least one field.'),
  requiresIfMatch: true,
  responses: { 200: IntegrationBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.version-mismatch', 'resource.conflict'],
  handler: async ({ params, body, request, deps, change }) => {
    const version = expectedVersion(request.ifMatch);
    return change(async (tx) => {
      const row = await changeIntegration(tx, params.id, version, body);
      if (body.is_enabled !== undefined || body.sync_every_seconds !== undefined) tx.after(() => startIntegrationSweep(deps, row.id));
      return reply(200, presentIntegration(row, deps.env.PUBLIC_URL), { etag: versionEtag(row.version) });
    });
  },
});

const connectionInput = z.strictObject({
  config: integrationConfig,
  secret: integrationSecret.nullable().default(null).describe('Null: the current one is unchanged'),
  key_id: integrationKeyId.nullable().optional(),
});

interface ConnectionRequest {
  readonly params: { readonly id: string };
  readonly body: z.output<typeof connectionInput>;
}

/** What is known of a new connection before its secret is sealed. */
function configurePayload({ params, body }: ConnectionRequest, { ifMatch }: { ifMatch: string | null }) {
  const { secret, ...connection } = body;
  const version = expectedVersion(ifMatch);
  return { integration_id: params.id, version, ...connection, replaces_secret: secret !== null, sealed: null };
}

/** The same with the sealed secret: nothing that waits for approval holds another. */
function sealedPayload(keyring: Keyring, request: ConnectionRequest, payload: object) {
  const { config, secret } = request.body;
  return { ...payload, sealed: secret === null ? null : sealSecret(keyring, request.params.id, config, secret) };
}

function deletePayload({ id }: { id: string }, ifMatch: string | null) {
  return { integration_id: id, version: expectedVersion(ifMatch) };
}

const updateIntegrationConfig = route({
  operationId: 'updateIntegrationConfig',
  method: 'put',
  path: '/admin/integrations/:id/config',
  tag,
  summary: 'Replace the configuration of an integration',
  description:
    'An omitted secret is unchanged, but a new destination requires it to be sent again, so that a secret is never ' +
    'sent to a destination that it was not given for. The kind cannot change. A new secret or destination in production ' +
    'takes an approval: 202.',
  permission: 'integration:manage',
  gate: {
    action: integrationConfigure.name,
    payload: configurePayload,
    complete: (deps, payload, input) => Promise.resolve(sealedPayload(deps.keyring, input, payload as object)),
  },
  params: idParams,
  body: connectionInput,
  requiresIfMatch: true,
  responses: { 200: IntegrationBody, 202: ApprovalBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.version-mismatch', 'integration.rotation-running'],
  handler: async (context) => {
    const { params, request, deps, scope } = context;
    const payload = sealedPayload(deps.keyring, context, configurePayload(context, { ifMatch: request.ifMatch }));
    const change = integrationConfigure.prepare(payload);
    await change.precheck(deps);
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      const row = await findIntegration(tx, scope, params.id);
      return reply(200, presentIntegration(row, deps.env.PUBLIC_URL), { etag: versionEtag(row.version) });
    });
  },
});

const deleteIntegrationRoute = route({
  operationId: 'deleteIntegration',
  method: 'delete',
  path: '/admin/integrations/:id',
  tag,
  summary: 'Remove an integration; the records of its syncs are retained',
  description: 'An integration of production takes an approval: 202.',
  permission: 'integration:manage',
  gate: { action: integrationDelete.name, payload: ({ params }, { ifMatch }) => deletePayload(params, ifMatch) },
  params: idParams,
  requiresIfMatch: true,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['mfa.required', 'resource.not-found', 'resource.version-mismatch', 'integration.rotation-running'],
  handler: async (context) => {
    const change = integrationDelete.prepare(deletePayload(context.params, context.request.ifMatch));
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

const releaseIntegrationRoute = route({
  operationId: 'releaseIntegration',
  method: 'post',
  path: '/admin/integrations/:id/release',
  tag,
  summary: 'Let a quarantined integration be read again',
  description:
    'An integration is quarantined when its source has twice in a row ended the process that reads it. A new configuration ' +
    'releases it, too.',
  permission: 'integration:manage',
  gate: 'mfa',
  params: idParams,
  responses: { 200: IntegrationBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.conflict'],
  handler: async ({ params, deps, change }) =>
    change(async (tx) => {
      const row = await releaseIntegration(tx, params.id);
      return reply(200, presentIntegration(row, deps.env.PUBLIC_URL), { etag: versionEtag(row.version) });
    }),
});

const getIntegrationRecords = route({
  operationId: 'getIntegrationRecords',
  method: 'get',
  path: '/admin/integrations/:id/records',
  tag,
  summary: 'Records as last fetched, newest first',
  permission: 'integration:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(IntegrationRecordBody) },
  problems: ['request.cursor-invalid', 'resource.not-found'],
  handler: async ({ params, query: { limit, cursor }, deps, scope }) => {
    const [integration, rows] = await readAll(deps.db, scope, [
      integrationOfList(params.id),
      recordsQuery(params.id).$call(newestFirst({ limit, cursor })),
    ]);
    assertIntegrationListed(integration);
    return newestPage(rows, limit, (row) => ({ ...row, payload: redactChange({ new_values: row.payload }).new_values }));
  },
});

/** Integrations: S2-17, S2-18, S2-20, S2-58. */
export const integrationRoutes = [
  getIntegrations,
  getIntegrationDetails,
  createIntegrationRoute,
  updateIntegration,
  updateIntegrationConfig,
  deleteIntegrationRoute,
  releaseIntegrationRoute,
  getIntegrationRecords,
];
