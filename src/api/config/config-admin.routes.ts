import { z } from 'zod';
import { configApply, guardingEnvironment } from '../../services/config/config-apply.action.ts';
import { batchOf } from '../../services/config/config-deployment.service.ts';
import { writeProposal } from '../../services/config/config-proposal.service.ts';
import type { ProposedChange } from '../../services/config/config-proposal.service.ts';
import { configEnvironment } from '../../services/config/config.payload.ts';
import { runAfterCommit, runAction } from '../../services/actions/run-action.ts';
import { sameJson } from '../../domain/shared/canonical.ts';
import { configDifferences } from '../../domain/config/config-document.ts';
import type { RolloutPlan } from '../../domain/config/config-rollout.ts';
import { query } from '../../entities/kysely-schema.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import {
  ledgerAtQuery,
  proposalQueries,
  readEnvironments,
  deploymentColumns,
} from '../../services/config/config.queries.ts';
import {
  ConfigVersionBody,
  EnvironmentConfigBody,
  LedgerRowBody,
  ProposalBody,
  ProposalRequest,
  StartedProposalBody,
  completePlan,
  ledgerColumns,
} from './config.schemas.ts';
import type { ApiDeps } from '../deps.ts';
import { reply, route } from '../http/route.ts';
import { moment } from '../../platform/value-schemas.ts';

const tag = 'configuration';
const path = '/admin/environment-config';

const getEnvironmentConfig = route({
  operationId: 'getEnvironmentConfig',
  method: 'get',
  path,
  tag,
  summary: 'What each environment runs, what is being rolled out, and what instances report',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment.optional() }),
  responses: { 200: z.object({ items: z.array(EnvironmentConfigBody) }) },
  handler: async ({ query: { environment }, deps, actor }) => ({ items: await readEnvironments(deps, actor, environment) }),
});

const proposeConfigChange = route({
  operationId: 'proposeConfigChange',
  method: 'post',
  path: `${path}/proposals`,
  tag,
  summary: 'Propose a change of configuration and see the difference to what runs',
  description:
    'Where an environment asks for approval (production always does) this opens an approval request and answers 202; ' +
    'elsewhere the change begins to roll out. What is approved is a digest, and exactly that rolls out.',
  permission: 'config:propose',
  gate: 'mfa',
  body: ProposalRequest,
  responses: {
    201: StartedProposalBody,
    202: ApprovalBody.extend({ proposal: ProposalBody }).meta({ id: 'ConfigProposalApproval' }),
  },
  problems: ['mfa.required', 'config.version-conflict', 'resource.conflict', 'rollout.active', 'approval.policy-unsatisfiable'],
  handler: async ({ actor, body: { changes: asked, reason }, deps, mfa, unitOfWork: gatedWork, read }) => {
    const changes = asked.map((change) => ({ ...change, plan: completePlan(change.environment, change.plan) }));
    await refuseBadAddresses(deps, changes);
    const environment = guardingEnvironment(changes.map((change) => change.environment));
    const gate = await deps.approvals.resolveGate(actor, configApply.name, environment);
    if (gate === 'approval' && mfa !== null) {
      // A proposal runs nowhere by itself; the proof is used up where the request is opened.
      const proposal = await unitOfWork(deps.db, actor, (tx) => writeProposal(tx, deps.keyring, { changes, reason }));
      const view = await deps.approvals.open({
        actor,
        action: configApply.name,
        environment,
        payload: payloadOf(proposal, reason),
        mfa,
      });
      return reply(202, { ...ApprovalBody.parse(view), proposal: { ...proposal, reason } });
    }
    const { proposal, prepared, result } = await gatedWork(async (tx) => {
      const written = await writeProposal(tx, deps.keyring, { changes, reason });
      const change = configApply.prepare(payloadOf(written, reason));
      return { proposal: written, prepared: change, result: await runAction(tx, change, { kind: 'mfa' }) };
    });
    await runAfterCommit(deps, actor, prepared, result);
    const batchId = batchOf(result);
    const deployments = await read(
      query.selectFrom('admin_deployments').where('batch_id', '=', batchId).orderBy('position').select(deploymentColumns),
    );
    return reply(201, { ...proposal, reason, deployments });
  },
});

function payloadOf({ proposal_id, changes }: { proposal_id: string; changes: readonly ProposedChange[] }, reason: string) {
  return {
    proposal_id,
    changes: changes.map(({ environment, version, base_version, digest, plan }) => ({
      environment,
      version,
      base_version,
      digest,
      plan,
    })),
    reason,
  };
}

/** @throws Problem `request.invalid` for guards that would have to speak to an address that is not permitted. */
async function refuseBadAddresses(
  { outbound }: Pick<ApiDeps, 'outbound'>,
  changes: readonly { readonly plan: RolloutPlan }[],
): Promise<void> {
  for (const [index, { plan }] of changes.entries()) {
    for (const [place, { source }] of plan.guards.entries()) {
      if (source.kind === 'health') continue;
      try {
        await outbound.check(source.url);
      } catch (error) {
        if (!(error instanceof OutboundRefusedError || error instanceof OutboundFailedError)) throw error;
        throw invalidInput([{ pointer: `/changes/${index}/plan/guards/${place}/source/url`, detail: error.message }]);
      }
    }
  }
}

const getConfigProposal = route({
  operationId: 'getConfigProposal',
  method: 'get',
  path: `${path}/proposals/:id`,
  tag,
  summary: 'A proposal with the difference to what runs now, for those who approve it',
  permission: 'config:read',
  gate: 'none',
  params: z.object({ id: z.uuid() }),
  responses: { 200: ProposalBody },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { id } }) => {
    const [[proposal], parts] = await readAll(deps.db, actor, proposalQueries(id));
    if (proposal === undefined) throw notFound('configuration proposal');
    return {
      proposal_id: proposal.id,
      reason: proposal.reason,
      changes: parts.map((part) => ({
        environment: part.environment,
        version: part.config_version,
        base_version: part.base_version,
        digest: part.digest,
        plan: proposal.plans[part.environment],
        schema_changed: part.running_schema === null || !sameJson(part.running_schema, part.schema),
        differences: configDifferences(part.running_document, part.document),
      })),
    };
  },
});

const getConfigAt = route({
  operationId: 'getConfigAt',
  method: 'get',
  path: `${path}/at`,
  tag,
  summary: 'What exactly ran in an environment at a moment, by which request, approved by whom',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment, at: moment.describe('The moment') }),
  responses: {
    200: z
      .object({ ledger: LedgerRowBody, running: ConfigVersionBody.nullable(), candidate: ConfigVersionBody.nullable() })
      .meta({ id: 'ConfigAtMoment' }),
  },
  problems: ['config.none'],
  handler: async ({ actor, deps, query: { environment, at } }) => {
    const [[ledger], versions] = await readAll(deps.db, actor, [
      ledgerAtQuery(environment, at).select(ledgerColumns),
      query
        .with('moment', () => ledgerAtQuery(environment, at).select(['stable_version', 'candidate_version']))
        .selectFrom('admin_config_versions as v')
        .innerJoin('moment as m', (join) =>
          join.on((eb) =>
            eb.or([
              eb('v.config_version', '=', eb.ref('m.stable_version')),
              eb('v.config_version', '=', eb.ref('m.candidate_version')),
            ]),
          ),
        )
        .where('v.environment', '=', environment)
        .select(['v.config_version as version', 'v.digest', 'v.document', 'v.created_at']),
    ] as const);
    if (ledger === undefined) {
      throw new Problem({ code: 'config.none', detail: `Nothing was configured for ${environment} then.` });
    }
    const find = (number: number | null) => versions.find(({ version }) => version === number) ?? null;
    return { ledger, running: find(ledger.stable_version), candidate: find(ledger.candidate_version) };
  },
});

/** Environment configuration for people: S2-35, S2-36, S2-61. */
export const configAdminRoutes = [getEnvironmentConfig, proposeConfigChange, getConfigProposal, getConfigAt];
