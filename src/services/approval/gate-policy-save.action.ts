import { sql } from 'kysely';
import { z } from 'zod';
import { changesBetween } from '../../domain/approval/change-detail.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { gateLevels, isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateEffect } from '../../domain/approval/gate-strength.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { defineAction } from '../actions/action.ts';
import { findAction } from '../actions/known-actions.ts';
import { putSafeguardNews } from './safeguard-news.repository.ts';
import { userNames } from '../identity/user-names.queries.ts';
import { bypassers, policySteps, policyWindows } from './gate-policy.payload.ts';
import { policyOfWeakening, weakenedBy } from './gate-policy-strength.queries.ts';
import { assertSavable, deleteGatePolicy, lockGatePolicy, saveGatePolicy } from './gate-policy.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

const savePayload = z.strictObject({
  operation: z.literal('save'),
  action: z.string().min(1).max(100),
  environment: z.enum(['any', ...environmentNames]),
  gate: z.enum(gateLevels),
  steps: policySteps,
  ...policyWindows,
  bypassers,
  version: z.int().min(0),
});

const deletePayload = z.strictObject({ operation: z.literal('delete'), id: uuid, version: rowVersion });

const gatePolicySavePayload = z.discriminatedUnion('operation', [savePayload, deletePayload]);

type Payload = z.output<typeof gatePolicySavePayload>;

/** The policy that is there now, with its place. */
async function present(db: ReadSource, scope: ReadScope, payload: Payload) {
  const table = kysely.selectFrom('admin_approval_policies').selectAll();
  const [found] = await read(
    db,
    scope,
    payload.operation === 'delete'
      ? table.where('id', '=', payload.id)
      : table.where('action', '=', payload.action).where('environment', '=', payload.environment),
  );
  return found;
}

/** What the change weakens; nothing for an action that this release does not know. */
async function weakened(db: ReadSource, scope: ReadScope, payload: Payload): Promise<GateEffect[]> {
  const place = payload.operation === 'save' ? payload : await present(db, scope, payload);
  const action = place === undefined ? undefined : findAction(place.action);
  if (place === undefined || action === undefined) return [];
  return weakenedBy(db, scope, action, {
    environment: place.environment,
    policy: payload.operation === 'save' ? payload : null,
  });
}

/** The present values of what `weakens` compares. One person alone changes them in one direction only. */
const strength = sql<JsonObject>`jsonb_build_object(
  'gate', gate, 'bypassers', bypassers, 'independence_days', independence_days,
  'execution_window_seconds', execution_window_seconds, 'bypass_review_seconds', bypass_review_seconds,
  'steps', (select jsonb_agg(step - 'name' order by at) from jsonb_array_elements(steps) with ordinality as one (step, at)))`;

/**
 * Writes or removes a gate policy (S2-68). A change that weakens a gate passes the gate that it weakens (R6, T-10): where that
 * is `approval`, an approval under the strictest of the policies that get weaker.
 */
export const gatePolicySave = defineAction({
  name: 'approval-policy.save',
  title: 'Write or remove a gate policy',
  permission: 'approval-policy:manage',
  payload: gatePolicySavePayload,
  isFixed: true,
  environment: () => null,
  floor: () => 'mfa',
  unwrittenGate: 'mfa',
  demands: {
    depends_on: ['weaker'],
    gate: async (db, scope, payload): Promise<GateLevel> => {
      const effects = await weakened(db, scope, payload);
      return effects.some(({ gate }) => !isWeaker(gate, 'approval')) ? 'approval' : 'mfa';
    },
  },
  policy: async (db, scope, payload) => {
    const place = payload.operation === 'save' ? payload : await present(db, scope, payload);
    const action = place === undefined ? undefined : findAction(place.action);
    return action === undefined ? null : policyOfWeakening(db, scope, action, await weakened(db, scope, payload));
  },
  reason: () => null,
  describe: (payload) =>
    payload.operation === 'delete'
      ? `Remove the gate policy ${payload.id}.`
      : `Set the gate of ${payload.action} in ${payload.environment} to ${payload.gate}.`,
  present: async (db, scope, payload) => {
    const before = await present(db, scope, payload);
    const people = [...(before?.bypassers ?? []), ...(payload.operation === 'save' ? payload.bypassers : [])];
    const steps = [...(before?.steps ?? []), ...(payload.operation === 'save' ? payload.steps : [])];
    const names = await userNames(db, scope, [...people, ...steps.flatMap(({ users }) => users)]);
    const readable = (policy: PolicyValues | undefined) => (policy === undefined ? null : withNames(policy, names));
    if (payload.operation === 'delete') {
      const place = before === undefined ? payload.id : `${before.action} in ${before.environment}`;
      return {
        description: `Remove the gate policy of ${place}, so that the safe default holds.`,
        changes: Object.entries(readable(before) ?? {}).map(([field, value]) => ({ field: field.replaceAll('_', ' '), before: value, after: null })),
      };
    }
    return {
      description: `Set the gate of ${payload.action} in ${payload.environment} to ${payload.gate}.`,
      changes: changesBetween(readable(before), withNames(payload, names)),
    };
  },
  // What one person writes alone and takes back alone, such as the name of a step, holds nobody up.
  basis: (payload) => ({
    base_version: payload.version === 0 ? null : payload.version,
    judged_by: 'touched',
    query: kysely
      .selectFrom('admin_approval_policies')
      .where((eb) =>
        payload.operation === 'delete'
          ? eb('id', '=', payload.id)
          : eb.and({ action: payload.action, environment: payload.environment }),
      )
      .select(['version', strength.as('touched')]),
  }),
  check: async (tx, payload) => {
    if (payload.operation === 'delete') await lockGatePolicy(tx, payload.id, payload.version);
    else await assertSavable(tx, withoutOperation(payload));
  },
  execute: async (tx, payload) => {
    if (payload.operation === 'delete') {
      const place = await deleteGatePolicy(tx, payload.id, payload.version);
      putSafeguardNews(tx, 'policy-changed', { subject: `${place.action} in ${place.environment}` });
      return { policy: null };
    }
    putSafeguardNews(tx, 'policy-changed', { subject: `${payload.action} in ${payload.environment}` });
    const saved = await saveGatePolicy(tx, withoutOperation(payload));
    return { policy: { ...saved, steps: saved.steps.map((one) => ({ ...one })) } };
  },
  undo: () => null,
});

type SavePayload = z.output<typeof savePayload>;
type PolicyValues = Omit<SavePayload, 'operation' | 'version' | 'action' | 'environment'>;

function withoutOperation({ operation: _operation, ...policy }: SavePayload) {
  return policy;
}

/** The values of a policy as approvers read them. */
function withNames(policy: PolicyValues, names: ReadonlyMap<string, string>) {
  const nameOf = (id: string) => names.get(id) ?? id;
  return {
    gate: policy.gate,
    steps: policy.steps.map(({ name, quorum, roles, users }) => `${quorum} of ${[...roles, ...users.map(nameOf)].join(', ')} ('${name}')`),
    bypassers: policy.bypassers.map(nameOf),
    review_window_seconds: policy.review_window_seconds,
    execution_window_seconds: policy.execution_window_seconds,
    reminder_interval_seconds: policy.reminder_interval_seconds,
    bypass_review_seconds: policy.bypass_review_seconds,
    independence_days: policy.independence_days,
  };
}
