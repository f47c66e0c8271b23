import { z } from 'zod';
import { completePlan } from '../../domain/config/config-rollout.ts';
import { timestampInput, uuid } from '../../platform/value-schemas.ts';
import { configApply } from '../../services/config/config-apply.action.ts';
import { proposeConfigChange } from '../../services/config/config-change.service.ts';
import { findConfigAt } from '../../services/config/config-ledger.queries.ts';
import { configEnvironment } from '../../services/config/config.payload.ts';
import { findConfigProposal, loadEnvironmentConfigs } from '../../services/config/config.queries.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import {
  ConfigVersionBody,
  EnvironmentConfigBody,
  LedgerRowBody,
  ProposalBody,
  ProposalRequest,
  StartedProposalBody,
} from './config.schemas.ts';

const tag = 'configuration';
const path = '/admin/environment-config';

const getEnvironmentConfig = route({
  operationId: 'getEnvironmentConfig',
  method: 'get',
  path,
  tag,
  summary: 'Running configuration, rollout and reported versions of each environment',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment.optional() }),
  responses: { 200: z.object({ items: z.array(EnvironmentConfigBody) }) },
  handler: async ({ query: { environment }, deps, actor }) => ({ items: await loadEnvironmentConfigs(deps, actor, environment) }),
});

const propose = route({
  operationId: 'proposeConfigChange',
  method: 'post',
  path: `${path}/proposals`,
  tag,
  summary: 'Propose a configuration change and get the difference to the running configuration',
  description:
    'Where an environment requires approval (production always does) this opens an approval request and answers 202; ' +
    'elsewhere the rollout starts. Approvers approve a digest, and exactly that version is rolled out.',
  permission: 'config:propose',
  gate: 'mfa',
  resolvesGateOf: configApply.name,
  body: ProposalRequest,
  responses: {
    201: StartedProposalBody,
    202: ApprovalBody.extend({ proposal: ProposalBody }).meta({ id: 'ConfigProposalApproval' }),
  },
  problems: ['mfa.required', 'config.version-conflict', 'resource.conflict', 'rollout.active', 'approval.policy-unsatisfiable'],
  handler: ({ body: { changes: asked, reason }, deps, ...caller }) => {
    const changes = asked.map((part) => ({ ...part, plan: completePlan(part.environment, part.plan) }));
    return proposeConfigChange(deps, caller, { changes, reason }, {
      requested: ({ approval, proposal }) => reply(202, { ...ApprovalBody.parse(approval), proposal }),
      started: ({ proposal, deployments }) =>
        reply(201, { ...proposal, deployments }, { location: `${path}/proposals/${proposal.proposal_id}` }),
    });
  },
});

const getConfigProposal = route({
  operationId: 'getConfigProposal',
  method: 'get',
  path: `${path}/proposals/:id`,
  tag,
  summary: 'A proposal with the difference to the running configuration, for its approvers',
  permission: 'config:read',
  gate: 'none',
  params: z.object({ id: uuid }),
  responses: { 200: ProposalBody },
  problems: ['resource.not-found'],
  handler: ({ actor, deps, params: { id } }) => findConfigProposal(deps, actor, id),
});

const getConfigAt = route({
  operationId: 'getConfigAt',
  method: 'get',
  path: `${path}/at`,
  tag,
  summary: 'Configuration that ran in an environment at a given time, with its request and approvers',
  permission: 'config:read',
  gate: 'none',
  query: z.strictObject({ environment: configEnvironment, at: timestampInput.describe('Time for which to look it up') }),
  responses: {
    200: z
      .object({ ledger: LedgerRowBody, running: ConfigVersionBody.nullable(), candidate: ConfigVersionBody.nullable() })
      .meta({ id: 'ConfigAtMoment' }),
  },
  problems: ['config.none'],
  handler: ({ actor, deps, query }) => findConfigAt(deps, actor, query),
});

/** Environment configuration for people: S2-35, S2-36, S2-61. */
export const configAdminRoutes = [getEnvironmentConfig, propose, getConfigProposal, getConfigAt];
