import { z } from 'zod';
import { rolloutStatuses } from '../../domain/config/config-rollout.ts';
import type { RolloutCommand } from '../../domain/config/config-rollout.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams, uuid } from '../../platform/value-schemas.ts';
import { assertCommandable } from '../../services/config/config-rollout.service.ts';
import { commandRollout, rollbackConfig } from '../../services/config/config-change.service.ts';
import { configRollback } from '../../services/config/config-rollback.action.ts';
import { deploymentsQuery, findDeployment, findDeploymentWithLedger } from '../../services/config/config-deployment.queries.ts';
import { verifyLedger } from '../../services/config/config-ledger.queries.ts';
import { configEnvironment, configReason } from '../../services/config/config.payload.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import type { Route } from '../http/route.ts';
import { DeploymentBody, DeploymentDetailBody } from './config.schemas.ts';

const tag = 'deployment';
const path = '/admin/deployments';

const getDeploymentHistory = route({
  operationId: 'getDeploymentHistory',
  method: 'get',
  path,
  tag,
  summary: 'Deployments of configurations, newest first',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    environment: configEnvironment.optional(),
    status: z.enum(rolloutStatuses).optional(),
    batch_id: uuid.optional(),
  }),
  responses: { 200: pageOf(DeploymentBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, ...filters }, read }) =>
    newestPage(await read(deploymentsQuery(filters).$call(newestFirst({ limit, cursor }))), limit),
});

const getDeployment = route({
  operationId: 'getDeployment',
  method: 'get',
  path: `${path}/:id`,
  tag,
  summary: 'One deployment with its rows of the ledger',
  permission: 'config:read',
  gate: 'none',
  params: idParams,
  responses: { 200: DeploymentDetailBody },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params: { id } }) => findDeploymentWithLedger(deps, actor, id),
});

const verifyDeploymentLedger = route({
  operationId: 'verifyDeploymentLedger',
  method: 'get',
  path: `${path}/ledger`,
  tag,
  summary: 'Verify the hash chain of an environment’s ledger',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment }),
  responses: {
    200: z
      .object({
        environment: configEnvironment,
        rows: z.int().describe('Rows that were checked'),
        head_hash: z.string().nullable(),
        is_intact: z.boolean(),
        first_broken_seq: z.int().nullable().describe('Sequence number of the first row that breaks the chain'),
      })
      .meta({ id: 'DeploymentLedgerVerification' }),
  },
  handler: ({ actor, deps, query: { environment } }) => verifyLedger(deps, actor, environment),
});

const rollback = route({
  operationId: 'rollbackConfig',
  method: 'post',
  path: `${path}/:id/rollback`,
  tag,
  summary: 'Roll back to the version of this deployment, immediately for all instances',
  description:
    'A version approved within the last thirty days requires a second factor only. Where the environment requires ' +
    'approval, any other version opens a request and answers 202.',
  permission: 'config:rollback',
  gate: 'mfa',
  resolvesGateOf: configRollback.name,
  params: idParams,
  body: z.strictObject({ reason: configReason }).meta({ id: 'ConfigRollbackRequest' }),
  responses: { 201: DeploymentBody, 202: ApprovalBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.conflict', 'rollout.active', 'approval.policy-unsatisfiable'],
  handler: ({ body: { reason }, deps, params, ...caller }) =>
    rollbackConfig(deps, caller, { deployment_id: params.id, reason }, {
      requested: (approval) => reply(202, approval),
      started: (deployment) => reply(201, deployment, { location: `${path}/${deployment.id}` }),
    }),
});

const commands = [
  { verb: 'pause', gate: 'none', summary: 'Pause a rollout at its current share of instances' },
  { verb: 'resume', gate: 'mfa', summary: 'Resume a paused or holding rollout at its current stage' },
  { verb: 'promote', gate: 'mfa', summary: 'Promote a rollout to its next stage, regardless of its guards' },
  { verb: 'abort', gate: 'none', summary: 'Abort a rollout; all instances get the previous version immediately' },
] as const satisfies readonly { verb: RolloutCommand; gate: 'none' | 'mfa'; summary: string }[];

const commandRoutes: Route[] = commands.map(({ verb, gate, summary }) =>
  route({
    operationId: `${verb}Rollout`,
    method: 'post',
    path: `${path}/:id/${verb}`,
    tag,
    summary,
    permission: 'config:apply',
    gate,
    params: idParams,
    body: z.strictObject({ reason: configReason.nullable().default(null) }).prefault({}),
    responses: { 200: DeploymentBody },
    problems: [
      'resource.not-found',
      'rollout.closed',
      'rollout.not-possible',
      ...(verb === 'promote' ? (['rollout.own-promotion', 'tenant.naming-waits'] as const) : []),
      ...(gate === 'mfa' ? (['mfa.required'] as const) : []),
    ],
    handler: async ({ actor, body: { reason }, deps, mfa, params: { id: deployment_id }, rehearse, throughWorkflow }) => {
      await rehearse((tx) => assertCommandable(tx, deployment_id, verb));
      const request = { deployment_id, verb, reason };
      await throughWorkflow((command) => commandRollout(deps, { actor, mfa }, request, command));
      return findDeployment(deps, actor, deployment_id);
    },
  }),
);

/** Deployments, their ledger and rollback: S2-37, S2-38, S2-61. */
export const deploymentRoutes = [
  getDeploymentHistory,
  verifyDeploymentLedger,
  getDeployment,
  rollback,
  ...commandRoutes,
];
