import { z } from 'zod';
import { batchOf } from '../../services/config/config-deployment.service.ts';
import { configRollback, takesFullPath } from '../../services/config/config-rollback.action.ts';
import { configEnvironment, configReason } from '../../services/config/config.payload.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import { brokenLedgerRow } from '../../domain/config/config-ledger.ts';
import { isRolloutClosed, rolloutStatuses } from '../../domain/config/config-rollout.ts';
import type { RolloutCommand } from '../../domain/config/config-rollout.ts';
import { query } from '../../entities/kysely-schema.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { configRolloutWorkflowId, rolloutUpdates } from '../../workflows/config/config-rollout.contract.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { DeploymentBody, DeploymentDetailBody, ledgerColumns } from './config.schemas.ts';
import { deploymentColumns } from '../../services/config/config.queries.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext, Route } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

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
    batch_id: z.uuid().optional(),
  }),
  responses: { 200: pageOf(DeploymentBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, environment, status, batch_id }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_deployments')
        .$if(environment !== undefined, (q) => q.where('environment', '=', environment ?? 'production'))
        .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'running'))
        .$if(batch_id !== undefined, (q) => q.where('batch_id', '=', batch_id ?? ''))
        .$call(newestFirst({ limit, cursor }))
        .select(deploymentColumns),
    );
    return newestPage(rows, limit);
  },
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
  handler: async ({ actor, deps, params: { id } }) => {
    const [[deployment], ledger] = await readAll(deps.db, actor, [
      query.selectFrom('admin_deployments').where('id', '=', id).select(deploymentColumns),
      query
        .selectFrom('admin_deployment_events')
        .where('deployment_id', '=', id)
        .orderBy('seq')
        .limit(500)
        .select(ledgerColumns),
    ] as const);
    if (deployment === undefined) throw notFound('deployment');
    return { ...deployment, ledger };
  },
});

const verifyDeploymentLedger = route({
  operationId: 'verifyDeploymentLedger',
  method: 'get',
  path: `${path}/ledger`,
  tag,
  summary: 'Whether every row of an environment’s ledger follows from the one before it',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment }),
  responses: {
    200: z
      .object({
        environment: configEnvironment,
        rows: z.int().describe('Rows that were looked at'),
        head_hash: z.string().nullable(),
        is_intact: z.boolean(),
        first_broken_seq: z.int().nullable().describe('Sequence number of the first row that does not follow'),
      })
      .meta({ id: 'DeploymentLedgerVerification' }),
  },
  handler: async ({ actor, deps, query: { environment } }) => {
    const [[slot], rows] = await readAll(deps.db, actor, [
      query
        .selectFrom('admin_environment_configs')
        .where('environment', '=', environment)
        .select(['ledger_seq', 'ledger_hash']),
      query
        .selectFrom('admin_deployment_events')
        .where('environment', '=', environment)
        .orderBy('seq')
        .select(ledgerColumns),
    ] as const);
    const head = slot === undefined ? null : { seq: slot.ledger_seq, hash: slot.ledger_hash };
    const broken = head === null ? null : brokenLedgerRow(actor.tenant_id, rows, head, payloadDigest);
    return {
      environment,
      rows: rows.length,
      head_hash: head?.hash ?? null,
      is_intact: broken === null,
      first_broken_seq: broken,
    };
  },
});

const rollbackConfig = route({
  operationId: 'rollbackConfig',
  method: 'post',
  path: `${path}/:id/rollback`,
  tag,
  summary: 'Go back to what this deployment brought, at once for everybody',
  description:
    'What was approved within the last thirty days takes a second factor only. Where the environment asks for approval, ' +
    'anything else opens a request and answers 202.',
  permission: 'config:rollback',
  gate: 'mfa',
  params: idParams,
  body: z.strictObject({ reason: configReason }).meta({ id: 'ConfigRollbackRequest' }),
  responses: { 201: DeploymentBody, 202: ApprovalBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.conflict', 'rollout.active', 'approval.policy-unsatisfiable'],
  handler: async ({ actor, body: { reason }, deps, mfa, params: { id }, read, unitOfWork: gatedWork }) => {
    const [target] = await read(
      query.selectFrom('admin_deployments').where('id', '=', id).select(['environment', 'config_version', 'digest']),
    );
    if (target === undefined) throw notFound('deployment');
    const { environment, config_version: version, digest } = target;
    const prepared = configRollback.prepare({ deployment_id: id, environment, version, digest, reason });
    const gate = await deps.approvals.resolveGate(actor, configRollback.name, environment);
    const isFullPath =
      gate === 'approval' || (await unitOfWork(deps.db, actor, (tx) => takesFullPath(tx, { environment, digest })));
    if (isFullPath && mfa !== null) {
      const { payload } = prepared;
      return reply(202, await deps.approvals.open({ actor, action: configRollback.name, environment, payload, mfa }));
    }
    const result = await runGatedAction({ deps, actor, gate: 'mfa', unitOfWork: gatedWork }, prepared);
    const batchId = batchOf(result);
    const [deployment] = await read(
      query.selectFrom('admin_deployments').where('batch_id', '=', batchId).select(deploymentColumns),
    );
    return reply(201, deployment);
  },
});

type Context = Pick<
  HandlerContext<{ id: string }, unknown, { reason: string | null }>,
  'actor' | 'body' | 'deps' | 'mfa' | 'params' | 'read'
>;

/** Says a word to the workflow of a deployment, which judges it, writes it down, and answers when it is committed. */
async function sendRolloutCommand({ actor, body, deps, mfa, params: { id }, read }: Context, word: RolloutCommand) {
  const find = async () => {
    const [row] = await read(query.selectFrom('admin_deployments').where('id', '=', id).select(deploymentColumns));
    if (row === undefined) throw notFound('deployment');
    return row;
  };
  const { environment, status } = await find();
  if (isRolloutClosed(status)) throw new Problem({ code: 'rollout.closed', detail: `The rollout is ${status}.` });
  const message = { actor: actorRef(actor), reason: body.reason, mfa_proof_id: mfa?.delegate() ?? null };
  const workflowId = configRolloutWorkflowId(actor.tenant_id, environment);
  try {
    await deps.temporal.call((client) =>
      client.workflow.getHandle(workflowId).executeUpdate(rolloutUpdates[word], { args: [message] }),
    );
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'resource.not-found')) throw error;
    throw new Problem({
      code: 'rollout.not-possible',
      detail: 'The rollout has not begun, or its workflow is being started again. Try again shortly.',
      cause: error,
    });
  }
  return find();
}

const words = [
  { word: 'pause', gate: 'none', summary: 'Stop a rollout where it is; nobody gets more of it or loses it' },
  { word: 'resume', gate: 'mfa', summary: 'Let a paused or holding rollout watch its stage again' },
  { word: 'promote', gate: 'mfa', summary: 'Go to the next stage without waiting, whatever the guards know' },
  { word: 'abort', gate: 'none', summary: 'Give everybody the version before, at once' },
] as const satisfies readonly { word: RolloutCommand; gate: 'none' | 'mfa'; summary: string }[];

const wordRoutes: Route[] = words.map(({ word, gate, summary }) =>
  route({
    operationId: `${word}Rollout`,
    method: 'post',
    path: `${path}/:id/${word}`,
    tag,
    summary,
    permission: 'config:apply',
    gate,
    params: idParams,
    body: z.strictObject({ reason: configReason.nullable().default(null) }).prefault({}),
    responses: { 200: DeploymentBody },
    problems: ['resource.not-found', 'rollout.closed', 'rollout.not-possible', ...(gate === 'mfa' ? (['mfa.required'] as const) : [])],
    handler: (context) => sendRolloutCommand(context, word),
  }),
);

/** Deployments, their ledger and rollback: S2-37, S2-38, S2-61. */
export const deploymentRoutes = [
  getDeploymentHistory,
  verifyDeploymentLedger,
  getDeployment,
  rollbackConfig,
  ...wordRoutes,
];
