import { z } from 'zod';
import { readAll } from '../../platform/database/read.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams, uuid } from '../../platform/value-schemas.ts';
import { getAction } from '../../services/actions/registry.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { assertIntegrationListed, integrationOfList } from '../../services/integration/integration.queries.ts';
import { rotateKeyPayload } from '../../services/integration/integration-rotate-key.action.ts';
import { abortRotation, retryRotation } from '../../services/integration/key-rotation.service.ts';
import { findRotation, requestedRotation, rotationsQuery } from '../../services/integration/key-rotation.queries.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { KeyRotationBody } from './integration.schemas.ts';

const tag = 'integration';
const rotationParams = z.object({ id: uuid, rotationId: uuid });
const rotationIds = ({ id, rotationId }: z.output<typeof rotationParams>) => ({
  integration_id: id,
  rotation_id: rotationId,
});

const RotateBody = z.strictObject({
  environment: rotateKeyPayload.shape.environment.describe('Environment of the integration; it determines the gate'),
  grace_seconds: rotateKeyPayload.shape.grace_seconds.describe('Seconds for which the old key works after the switch'),
  reason: rotateKeyPayload.shape.reason,
});

const rotatePayload = ({ params, body }: { params: { id: string }; body: z.output<typeof RotateBody> }) => ({
  integration_id: params.id,
  ...body,
});

const rotateAPIKey = route({
  operationId: 'rotateAPIKey',
  method: 'post',
  path: '/admin/integrations/:id/rotate-key',
  tag,
  summary: 'Rotate the key of an integration; in production this opens an approval request and answers 202',
  description:
    'The rotation checks the current key, creates a new one, proves it by a live call, switches to it, waits for the ' +
    'grace period, revokes the old key and proves that it is refused. Poll it at `Location`.',
  permission: 'integration:rotate-key',
  gate: { action: 'integration.rotate-key', environment: ({ body }) => body.environment, payload: rotatePayload },
  params: idParams,
  body: RotateBody,
  responses: { 201: KeyRotationBody, 202: ApprovalBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'integration.rotation-running',
    'integration.rotation-unsupported',
    'approval.policy-unsatisfiable',
  ],
  handler: async ({ gate, deps, change, ...input }) => {
    const prepared = getAction('integration.rotate-key').prepare(rotatePayload(input));
    return change(async (tx) => {
      await runGatedAction(tx, { deps, gate }, prepared);
      const rotation = await requestedRotation(tx, input.params.id);
      const location = `/admin/integrations/${rotation.integration_id}/rotations/${rotation.id}`;
      return reply(201, rotation, { location });
    });
  },
});

const getKeyRotations = route({
  operationId: 'getKeyRotations',
  method: 'get',
  path: '/admin/integrations/:id/rotations',
  tag,
  summary: 'Key rotations of an integration, newest first',
  permission: 'integration:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(KeyRotationBody) },
  problems: ['request.cursor-invalid', 'resource.not-found'],
  handler: async ({ params, query: { limit, cursor }, deps, scope }) => {
    const [integration, rows] = await readAll(deps.db, scope, [
      integrationOfList(params.id),
      rotationsQuery(params.id).$call(newestFirst({ limit, cursor })),
    ]);
    assertIntegrationListed(integration);
    return newestPage(rows, limit);
  },
});

const getKeyRotation = route({
  operationId: 'getKeyRotation',
  method: 'get',
  path: '/admin/integrations/:id/rotations/:rotationId',
  tag,
  summary: 'One key rotation, step by step',
  permission: 'integration:read',
  gate: 'none',
  params: rotationParams,
  responses: { 200: KeyRotationBody },
  problems: ['resource.not-found'],
  handler: ({ params, deps, scope }) => findRotation(deps.db, scope, rotationIds(params)),
});

const abortKeyRotation = route({
  operationId: 'abortKeyRotation',
  method: 'post',
  path: '/admin/integrations/:id/rotations/:rotationId/abort',
  tag,
  summary: 'Abort a key rotation before its switch; the new key is revoked',
  permission: 'integration:rotate-key',
  gate: 'none',
  params: rotationParams,
  responses: { 200: KeyRotationBody },
  problems: ['resource.not-found', 'integration.rotation-switched', 'service.unavailable'],
  handler: async ({ params, actor, deps, throughWorkflow }) => {
    const ids = rotationIds(params);
    await throughWorkflow((command) => abortRotation(deps, actor, ids, command));
    return findRotation(deps.db, actor, ids);
  },
});

const retryKeyRotation = route({
  operationId: 'retryKeyRotation',
  method: 'post',
  path: '/admin/integrations/:id/rotations/:rotationId/retry',
  tag,
  summary: 'Retry the current step of a key rotation now, e.g. a failed revoke',
  permission: 'integration:rotate-key',
  gate: 'none',
  params: rotationParams,
  responses: { 202: KeyRotationBody },
  problems: ['resource.not-found', 'resource.conflict', 'service.unavailable'],
  handler: ({ params, deps, change }) =>
    change(async (tx) => reply(202, await retryRotation(deps, tx, rotationIds(params)))),
});

/** Key rotations of integrations: S2-21. */
export const integrationRotationRoutes = [
  rotateAPIKey,
  getKeyRotations,
  getKeyRotation,
  abortKeyRotation,
  retryKeyRotation,
];
