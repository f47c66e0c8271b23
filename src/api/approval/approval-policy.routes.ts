import { sql } from 'kysely';
import { z } from 'zod';
import { gateInForce } from '../../services/actions/gate-policy.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { candidatesQuery, deciders, rightsOfRows, rightsQuery } from '../../services/approval/eligible-people.queries.ts';
import { findAction, getAction } from '../../services/actions/registry.ts';
import { gateLevels, isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { defaultWindows, policyFaults } from '../../domain/approval/approval-policy.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { query } from '../../entities/kysely-schema.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { bypassers, policySteps, policyWindows } from './approval.schemas.ts';
import { assertVersion, expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { DescribedRoute } from '../http/route-description.ts';
import { idParams, timestamp } from '../../platform/value-schemas.ts';

const tag = 'approval_policy';

const environment = z.enum(['any', ...environmentNames]);

const PolicyInput = z
  .strictObject({
    action: z.string().min(1).max(100),
    environment: environment.default('any').describe('`any` holds where no environment has a policy of its own'),
    gate: z.enum(gateLevels),
    steps: policySteps.default([]),
    review_window_seconds: policyWindows.review_window_seconds.default(defaultWindows.review_window_seconds),
    execution_window_seconds: policyWindows.execution_window_seconds.default(defaultWindows.execution_window_seconds),
    reminder_interval_seconds: policyWindows.reminder_interval_seconds.default(
      defaultWindows.reminder_interval_seconds,
    ),
    bypass_review_seconds: policyWindows.bypass_review_seconds.default(defaultWindows.bypass_review_seconds),
    bypassers: bypassers.default([]),
    version: z.int().min(0).describe('The version that was read; 0 for a policy that is not written yet'),
  })
  .meta({ id: 'ApprovalPolicyInput' });

type PolicyInput = z.output<typeof PolicyInput>;

const PolicyBody = z
  .object({
    id: z.uuid(),
    action: z.string(),
    environment,
    gate: z.enum(gateLevels),
    steps: policySteps,
    ...policyWindows,
    bypassers,
    updated_by: z.uuid().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'ApprovalPolicy' });

const columns = [
  'id',
  'action',
  'environment',
  'gate',
  'steps',
  'review_window_seconds',
  'execution_window_seconds',
  'reminder_interval_seconds',
  'bypass_review_seconds',
  'bypassers',
  'updated_by',
  'created_at',
  'updated_at',
  'version',
] as const;

const getApprovalPolicies = route({
  operationId: 'getApprovalPolicies',
  method: 'get',
  path: '/admin/approval-policies',
  tag,
  summary: 'The written policies; where none is written the safe default holds',
  permission: 'approval-policy:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, action: z.string().max(100).optional() }),
  responses: { 200: pageOf(PolicyBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, action }, read }) => {
    const rows = await read(
      query
        .selectFrom('admin_approval_policies')
        .$if(action !== undefined, (q) => q.where('action', '=', action ?? ''))
        .$call(newestFirst({ limit, cursor }))
        .select(columns),
    );
    return newestPage(rows, limit);
  },
});

const putApprovalPolicy = route({
  operationId: 'putApprovalPolicy',
  method: 'put',
  path: '/admin/approval-policies',
  tag,
  summary: 'Say which gate an action has in an environment, and whose approval it takes',
  description: 'Requests that are open keep the policy they were opened under.',
  permission: 'approval-policy:manage',
  gate: 'mfa',
  body: PolicyInput,
  responses: { 200: PolicyBody },
  problems: ['mfa.required', 'request.invalid', 'resource.conflict'],
  handler: async ({ body, unitOfWork }) => {
    const saved = await unitOfWork(async (tx) => {
      await refuseUnsound(tx, body);
      return savePolicy(tx, body);
    });
    return reply(200, saved, { etag: versionEtag(saved.version) });
  },
});

const deleteApprovalPolicy = route({
  operationId: 'deleteApprovalPolicy',
  method: 'delete',
  path: '/admin/approval-policies/:id',
  tag,
  summary: 'Go back to the safe default',
  permission: 'approval-policy:manage',
  gate: 'mfa',
  params: idParams,
  requiresIfMatch: true,
  responses: { 204: null },
  problems: ['mfa.required', 'resource.not-found', 'resource.version-mismatch', 'resource.version-required'],
  handler: async ({ params: { id }, request, unitOfWork }) => {
    const version = expectedVersion(request.ifMatch);
    await unitOfWork(async (tx) => {
      const found = tx.sql.selectFrom('admin_approval_policies').where('id', '=', id).selectAll().forUpdate();
      const policy = await found.executeTakeFirst();
      if (policy === undefined) throw notFound('approval policy');
      assertVersion(policy, version);
      await tx.sql.deleteFrom('admin_approval_policies').where('id', '=', id).execute();
      tx.audit({
        event: 'approval-policy.delete',
        action: 'delete',
        resource_type: 'approval_policy',
        resource_id: id,
        old_values: policy,
      });
    });
    return null;
  },
});

/**
 * @throws Problem 422 with every fault: unknown action, a gate below the floor, quorums or bypassers that cannot be.
 */
async function refuseUnsound(tx: Tx, body: PolicyInput): Promise<void> {
  const action = getAction(body.action);
  const issues: ProblemIssue[] = [];
  const where = body.environment === 'any' ? null : body.environment;
  const floor = action.floor(where);
  if (isWeaker(body.gate, floor)) {
    issues.push({ pointer: '/gate', detail: `must be at least '${floor}' for ${body.action} in ${body.environment}` });
  }
  if (body.gate === 'approval') {
    const { rows } = await tx.sql.executeQuery(candidatesQuery(body.steps).compile());
    for (const { path, message } of policyFaults(body, deciders(rightsOfRows(rows)))) {
      issues.push({ pointer: path, detail: message });
    }
  }
  const { rows } = await tx.sql.executeQuery(rightsQuery(body.bypassers).compile());
  const able = rightsOfRows(rows).filter(({ permissions }) => permissions.includes('approval:break-glass'));
  body.bypassers.forEach((userId, index) => {
    if (able.some(({ user_id }) => user_id === userId)) return;
    issues.push({ pointer: `/bypassers/${index}`, detail: 'must be an active person who may break the glass' });
  });
  if (issues.length > 0) throw invalidInput(issues);
}

/** @throws Problem `resource.conflict` when somebody else has written the policy meanwhile. */
async function savePolicy(tx: Tx, { version, ...policy }: PolicyInput) {
  const before = await tx.sql
    .selectFrom('admin_approval_policies')
    .where('action', '=', policy.action)
    .where('environment', '=', policy.environment)
    .select(columns)
    .forUpdate()
    .executeTakeFirst();
  if ((before?.version ?? 0) !== version) throw staleWrite(before?.version ?? 0);
  const values = {
    ...policy,
    steps: jsonb(policy.steps),
    bypassers: sql<string[]>`${policy.bypassers}::uuid[]`,
    updated_by: tx.actor.user_id,
    updated_at: sql<string>`now()`,
    version: version + 1,
  };
  const saved = await tx.sql
    .insertInto('admin_approval_policies')
    .values({ ...values, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'action', 'environment'])
        .doUpdateSet(values)
        .where('admin_approval_policies.version', '=', version),
    )
    .returning(columns)
    .executeTakeFirst();
  if (saved === undefined) throw staleWrite(null);
  tx.audit({
    event: 'approval-policy.save',
    action: before === undefined ? 'create' : 'update',
    resource_type: 'approval_policy',
    resource_id: saved.id,
    old_values: before,
    new_values: saved,
  });
  return saved;
}

function staleWrite(current: number | null): Problem {
  return new Problem({
    code: 'resource.conflict',
    detail: 'The policy has changed since it was read. Read it again and repeat the change.',
    ...(current === null ? {} : { members: { current_version: current } }),
  });
}

const gateNow = z.enum(gateLevels);

const GateBody = z
  .object({
    operation_id: z.string(),
    method: z.string(),
    path: z.string(),
    permission: z.string(),
    gate: z.enum(['none', 'mfa', 'policy']).describe('`policy`: the gate table decides, by environment'),
    action: z.string().nullable(),
    by_environment: z
      .object({ any: gateNow, development: gateNow, staging: gateNow, production: gateNow })
      .nullable()
      .describe('What holds now in this tenant'),
  })
  .meta({ id: 'Gate' });

const getGates = route({
  operationId: 'getApprovalGates',
  method: 'get',
  path: '/admin/approvals/gates',
  tag,
  summary: 'Every endpoint that changes something, with its gate',
  description: 'Made from the routes themselves; the typed client, scripts and service tokens pass the same gates.',
  permission: 'approval-policy:read',
  gate: 'none',
  responses: { 200: z.object({ items: z.array(GateBody) }) },
  handler: async ({ deps, read }) => {
    const written = await read(query.selectFrom('admin_approval_policies').select(['action', 'environment', 'gate']));
    const gateOf = (action: string, place: EnvironmentName | 'any'): GateLevel => {
      const own = written.find((row) => row.action === action && row.environment === place);
      const row = own ?? written.find((candidate) => candidate.action === action && candidate.environment === 'any');
      return gateInForce(findAction(action), place === 'any' ? null : place, row?.gate);
    };
    return { items: deps.routes.filter(({ method }) => method !== 'get').map((one) => gateEntry(one, gateOf)) };
  },
});

/** One line of the manifest (S2-68). */
function gateEntry(
  { operationId, method, path, permission, gate }: DescribedRoute,
  gateOf: (action: string, place: EnvironmentName | 'any') => GateLevel,
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

/** The gate table and the manifest of gates: S2-68. */
export const approvalPolicyRoutes = [getGates, getApprovalPolicies, putApprovalPolicy, deleteApprovalPolicy];
