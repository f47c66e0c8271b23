import { z } from 'zod';
import { rotationColumns } from '../../services/integration/integration-rotation.service.ts';
import { rotateKeyPayload } from '../../services/integration/integration-rotate-key.action.ts';
import { getAction } from '../../services/actions/registry.ts';
import { runAfterCommit, runAction } from '../../services/actions/run-action.ts';
import { isBeforeSwitch, isEndedRotation } from '../../domain/integration/integration-rotation.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { abortRotationUpdate, keyRotationWorkflowId, retryRotationSignal } from '../../workflows/integration/key-rotation.contract.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { integrationOfList, assertIntegrationListed } from '../../services/integration/integration.queries.ts';
import { KeyRotationBody } from './integration.schemas.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

const tag = 'integration';
const rotationParams = z.object({ id: z.uuid(), rotationId: z.uuid() });

const RotateBody = z.strictObject({
  environment: rotateKeyPayload.shape.environment.describe('That of the integration; by it the gate is chosen'),
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
  summary: 'Exchange the key of an integration; in production this opens an approval request and answers 202',
  description:
    'The rotation checks first, creates a key, proves it by a live call, switches, waits the grace, revokes the old key ' +
    'and proves that it is refused. Follow it at `Location`.',
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
  handler: async ({ gate, actor, deps, unitOfWork, ...input }) => {
    const prepared = getAction('integration.rotate-key').prepare(rotatePayload(input));
    const { result, rotation } = await unitOfWork(async (tx) => {
      const result = await runAction(tx, prepared, { kind: gate === 'none' ? 'none' : 'mfa' });
      // One rotation at a time: the open one is that which was begun just now.
      const rotation = await tx.sql
        .selectFrom('admin_key_rotations')
        .where('integration_id', '=', input.params.id)
        .where('status', '=', 'requested')
        .select(rotationColumns)
        .executeTakeFirstOrThrow();
      return { result, rotation };
    });
    await runAfterCommit(deps, actor, prepared, result);
    const { id: rotation_id, integration_id } = rotation;
    return reply(201, rotation, { location: `/admin/integrations/${integration_id}/rotations/${rotation_id}` });
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
      query
        .selectFrom('admin_key_rotations')
        .where('integration_id', '=', params.id)
        .$call(newestFirst({ limit, cursor }))
        .select(rotationColumns),
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
  handler: ({ params, read }) => requireRotation(read, params),
});

const abortKeyRotation = route({
  operationId: 'abortKeyRotation',
  method: 'post',
  path: '/admin/integrations/:id/rotations/:rotationId/abort',
  tag,
  summary: 'Call a key rotation off before its switch; the key that was made for it is revoked',
  permission: 'integration:rotate-key',
  gate: 'none',
  params: rotationParams,
  responses: { 200: KeyRotationBody },
  problems: ['resource.not-found', 'integration.rotation-switched', 'service.unavailable'],
  handler: async ({ params, actor, deps, read }) => {
    const { status } = await requireRotation(read, params);
    if (!isBeforeSwitch(status)) throw pastSwitch(status);
    const { tenant_id } = actor;
    const workflowId = keyRotationWorkflowId({ tenant_id, integration_id: params.id });
    await deps.temporal.call((client) =>
      client.workflow
        .getHandle(workflowId)
        .executeUpdate(abortRotationUpdate, { args: [{ rotation_id: params.rotationId }] }),
    );
    const rotation = await requireRotation(read, params);
    if (rotation.switched_at !== null) throw pastSwitch(rotation.status);
    return rotation;
  },
});

const retryKeyRotation = route({
  operationId: 'retryKeyRotation',
  method: 'post',
  path: '/admin/integrations/:id/rotations/:rotationId/retry',
  tag,
  summary: 'Try the present step of a key rotation again at once, e.g. a revoke that has failed',
  permission: 'integration:rotate-key',
  gate: 'none',
  params: rotationParams,
  responses: { 202: KeyRotationBody },
  problems: ['resource.not-found', 'resource.conflict', 'service.unavailable'],
  handler: async ({ params, actor, deps, read }) => {
    const rotation = await requireRotation(read, params);
    if (isEndedRotation(rotation.status)) {
      throw new Problem({ code: 'resource.conflict', detail: `The rotation is ${rotation.status}, which is final.` });
    }
    const workflowId = keyRotationWorkflowId({ tenant_id: actor.tenant_id, integration_id: params.id });
    await deps.temporal.call((client) => client.workflow.getHandle(workflowId).signal(retryRotationSignal));
    return reply(202, rotation);
  },
});

function pastSwitch(status: string): Problem {
  return new Problem({
    code: 'integration.rotation-switched',
    detail: 'The rotation is past its switch, or given up already.',
    members: { status },
  });
}

type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function requireRotation(read: Read, params: z.output<typeof rotationParams>) {
  const [rotation] = await read(
    query
      .selectFrom('admin_key_rotations')
      .where('id', '=', params.rotationId)
      .where('integration_id', '=', params.id)
      .select(rotationColumns),
  );
  if (rotation === undefined) throw notFound('key rotation');
  return rotation;
}

/** Key rotations of integrations: S2-21. */
export const integrationRotationRoutes = [
  rotateAPIKey,
  getKeyRotations,
  getKeyRotation,
  abortKeyRotation,
  retryKeyRotation,
];
