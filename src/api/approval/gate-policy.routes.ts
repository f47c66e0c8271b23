import { z } from 'zod';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { gateInForce, rowInForce } from '../../services/actions/gate-policy.ts';
import { findAction } from '../../services/actions/registry.ts';
import { gatePoliciesQuery, writtenGatesQuery } from '../../services/approval/gate-policy.queries.ts';
import { gatePolicySave } from '../../services/approval/gate-policy-save.action.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { reply, route } from '../http/route.ts';
import { describeGate } from '../http/route-description.ts';
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
    const written = await read(writtenGatesQuery());
    return { items: deps.routes.filter(({ method }) => method !== 'get').map((one) => gateEntry(one, written)) };
  },
});

type Written = readonly { action: string; environment: EnvironmentName | 'any'; gate: GateLevel }[];

/** The gate of an action in each place, as one rule says it. */
function inEachPlace(gateIn: (environment: EnvironmentName | null) => GateLevel) {
  return {
    any: gateIn(null),
    development: gateIn('development'),
    staging: gateIn('staging'),
    production: gateIn('production'),
  };
}

/** The gate that a gate policy sets: that of exactly this environment, else the one of any. */
function writtenGate(written: Written, action: string, environment: EnvironmentName | null): GateLevel | undefined {
  return rowInForce(written.filter((row) => row.action === action), environment)?.gate;
}

/** One entry of the manifest of gates (S2-68). */
function gateEntry(route: DescribedRoute, written: Written): z.input<typeof GateBody> {
  const { operationId, method, path, permission } = route;
  const { gate, action: name } = describeGate(route);
  const entry = { operation_id: operationId, method: method.toUpperCase(), path, permission, gate, action: name };
  if (name === null) {
    return { ...entry, by_environment: null, default_by_environment: null, floor_by_environment: null, depends_on: [] };
  }
  const action = findAction(name);
  return {
    ...entry,
    by_environment: inEachPlace((environment) => gateInForce(action, environment, writtenGate(written, name, environment))),
    default_by_environment: inEachPlace((environment) => gateInForce(action, environment, undefined)),
    floor_by_environment: inEachPlace((environment) => action?.floor(environment) ?? 'none'),
    depends_on: [...(action?.dependsOn ?? [])],
  };
}

/** Gate policies and the manifest of gates (S2-68). */
export const gatePolicyRoutes = [getGates, getApprovalPolicies, putApprovalPolicy, deleteApprovalPolicy];
