import { z } from 'zod';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { gateInForce } from '../../services/actions/gate-policy.ts';
import { findAction } from '../../services/actions/registry.ts';
import { gatePoliciesQuery, writtenGatesQuery } from '../../services/approval/gate-policy.queries.ts';
import { gatePolicySave } from '../../services/approval/gate-policy-save.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { reply, route } from '../http/route.ts';
import type { DescribedRoute } from '../http/route-description.ts';
import { ApprovalBody, openingProblems } from './approval.schemas.ts';
import { GateBody, GatePolicyBody, GatePolicyInput } from './gate-policy.schemas.ts';

const tag = 'approval_policy';

const getApprovalPolicies = route({
  operationId: 'getApprovalPolicies',
  method: 'get',
  path: '/admin/approval-policies',
  tag,
  summary: 'Gate policies of the tenant; without one the safe default applies',
  permission: 'approval-policy:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, action: z.string().max(100).optional() }),
  responses: { 200: pageOf(GatePolicyBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, action }, read }) => {
    const rows = await read(gatePoliciesQuery({ action }, { limit, cursor }));
    return newestPage(rows, limit);
  },
});

function savePayload({ body }: { body: object }) {
  return { operation: 'save', ...body };
}

function deletePayload({ id }: { id: string }, ifMatch: string | null) {
  return { operation: 'delete', id, version: expectedVersion(ifMatch) };
}

const putApprovalPolicy = route({
  operationId: 'putApprovalPolicy',
  method: 'put',
  path: '/admin/approval-policies',
  tag,
  summary: 'Set the gate of an action in an environment, and who approves it',
  description:
    'Open requests keep the gate policy that they were opened under. A change that weakens a gate passes the gate that it ' +
    'weakens: where that is `approval`, it opens a request and answers 202.',
  permission: 'approval-policy:manage',
  gate: { action: gatePolicySave.name, payload: savePayload },
  body: GatePolicyInput,
  responses: { 200: GatePolicyBody, 202: ApprovalBody },
  problems: ['mfa.required', 'request.invalid', 'resource.conflict', ...openingProblems],
  handler: (context) => {
    const change = gatePolicySave.prepare(savePayload(context));
    return context.change(async (tx) => {
      const saved = GatePolicyBody.parse((await runGatedAction(tx, context, change))['policy']);
      return reply(200, saved, { etag: versionEtag(saved.version) });
    });
  },
});

const deleteApprovalPolicy = route({
  operationId: 'deleteApprovalPolicy',
  method: 'delete',
  path: '/admin/approval-policies/:id',
  tag,
  summary: 'Remove a gate policy, so that the safe default applies',
  description: 'Where that weakens a gate `approval`, it opens a request and answers 202.',
  permission: 'approval-policy:manage',
  gate: { action: gatePolicySave.name, payload: ({ params }, { ifMatch }) => deletePayload(params, ifMatch) },
  params: idParams,
  requiresIfMatch: true,
  responses: { 202: ApprovalBody, 204: null },
  problems: ['mfa.required', 'resource.not-found', 'resource.version-mismatch', 'resource.version-required', ...openingProblems],
  handler: (context) => {
    const change = gatePolicySave.prepare(deletePayload(context.params, context.request.ifMatch));
    return context.change(async (tx) => {
      await runGatedAction(tx, context, change);
      return reply(204);
    });
  },
});

const getGates = route({
  operationId: 'getApprovalGates',
  method: 'get',
  path: '/admin/approvals/gates',
  tag,
  summary: 'All endpoints that change something, with their gates',
  description: 'Generated from the routes; the typed client, scripts and service tokens pass the same gates.',
  permission: 'approval-policy:read',
  gate: 'none',
  responses: { 200: z.object({ items: z.array(GateBody) }) },
  handler: async ({ deps, read }) => {
    const gateOf = gatesInForce(await read(writtenGatesQuery()));
    return { items: deps.routes.filter(({ method }) => method !== 'get').map((one) => gateEntry(one, gateOf)) };
  },
});

type GateOf = (action: string, environment: EnvironmentName | 'any') => GateLevel;

/** Resolves the gate in force of an action: that of exactly this environment, of any, or the safe default. */
function gatesInForce(written: readonly { action: string; environment: string; gate: GateLevel }[]): GateOf {
  return (action, environment) => {
    const own = written.find((row) => row.action === action && row.environment === environment);
    const row = own ?? written.find((candidate) => candidate.action === action && candidate.environment === 'any');
    return gateInForce(findAction(action), environment === 'any' ? null : environment, row?.gate);
  };
}

/** One entry of the manifest of gates (S2-68). */
function gateEntry(
  { operationId, method, path, permission, gate }: DescribedRoute,
  gateOf: GateOf,
): z.input<typeof GateBody> {
  const entry = { operation_id: operationId, method: method.toUpperCase(), path, permission };
  if (typeof gate === 'string') return { ...entry, gate, action: null, by_environment: null };
  const { action } = gate;
  const by_environment = {
    any: gateOf(action, 'any'),
    development: gateOf(action, 'development'),
    staging: gateOf(action, 'staging'),
    production: gateOf(action, 'production'),
  };
  return { ...entry, gate: 'policy', action, by_environment };
}

/** Gate policies and the manifest of gates (S2-68). */
export const gatePolicyRoutes = [getGates, getApprovalPolicies, putApprovalPolicy, deleteApprovalPolicy];
