import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { RolloutPlan } from '../../domain/config/config-rollout.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Authority } from '../actions/action.ts';
import { defineAction } from '../actions/action.ts';
import { startCommittedRollouts } from './config-batch.client.ts';
import { approvedDeploymentQuery, insertDeployment, assertNoActiveRollout, rollbackWindowDays } from './config-deployment.service.ts';
import { lockEnvironment } from './environment-config.repository.ts';
import type { EnvironmentSlot } from './environment-config.repository.ts';
import { configDigestText, configEnvironment, configReason, configVersionNumber } from './config.payload.ts';
import { configApply } from './config-apply.action.ts';
import { gateInForce, gatePolicyQuery } from '../actions/gate-policy.ts';

/** What is approved of a rollback. */
const configRollbackPayload = z.strictObject({
  deployment_id: z.uuid().describe('The deployment to roll back to'),
  environment: configEnvironment,
  version: configVersionNumber,
  digest: configDigestText,
  reason: configReason,
});

type Payload = z.output<typeof configRollbackPayload>;

/** A rollback is urgent: everybody gets the old version at once, without stages and guards. */
export const rollbackPlan: RolloutPlan = {
  strategy: { kind: 'all_at_once', bake_seconds: 0 },
  guards: [],
  check_interval_seconds: 30,
  dry_run: false,
};

/**
 * Goes back to the version of an earlier deployment (S2-38). A version that was approved within the window takes a
 * second factor only; any other one takes the gate of a new configuration.
 */
export const configRollback = defineAction({
  name: 'config.rollback',
  title: 'Roll back to an earlier configuration',
  permission: 'config:rollback',
  payload: configRollbackPayload,
  environment: ({ environment }) => environment,
  floor: () => 'mfa',
  unwrittenGate: 'mfa',
  reason: ({ reason }) => reason,
  describe: ({ environment, version, digest }) =>
    `Roll back to configuration version ${version} (${digest.slice(0, 12)}) in ${environment}, immediately for all ` +
    'instances.',
  check: async (tx, payload) => {
    await lockTarget(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const slot = await lockTarget(tx, payload);
    await assertApproved(tx, payload, authority);
    const { environment, version, digest, reason } = payload;
    const batch_id = randomUUID();
    const deployment = {
      environment,
      kind: 'rollback',
      batch_id,
      position: 0,
      proposal_id: null,
      config_version: version,
      previous_version: slot.stable_version,
      digest,
      plan: rollbackPlan,
      reason,
    } as const;
    return { batch_id, deployment_ids: [await insertDeployment(tx, deployment, authority)] };
  },
  undo: () => null,
  afterCommit: startCommittedRollouts,
});

/**
 * True when going back to a digest takes the gate of a new configuration: its environment asks for approval, and the
 * digest has not been approved within the window.
 */
export async function takesFullPath(tx: Tx, { environment, digest }: Pick<Payload, 'environment' | 'digest'>): Promise<boolean> {
  const policy = await tx.sql.executeQuery(gatePolicyQuery(configApply.name, environment).compile());
  if (gateInForce(configApply, environment, policy.rows[0]?.gate) !== 'approval') return false;
  const approved = await tx.sql.executeQuery(approvedDeploymentQuery(environment, digest).compile());
  return approved.rows.length === 0;
}

async function assertApproved(tx: Tx, payload: Payload, authority: Authority): Promise<void> {
  if (authority.kind === 'approval' || !(await takesFullPath(tx, payload))) return;
  throw new Problem({
    code: 'approval.required',
    detail: `Nobody has approved this configuration in the last ${rollbackWindowDays} days.`,
  });
}

/** @throws Problem when there is no such deployment of this version, the version runs, or a rollout is under way. */
async function lockTarget(tx: Tx, payload: Payload): Promise<EnvironmentSlot> {
  const slot = await lockEnvironment(tx, payload.environment);
  const target = await tx.sql
    .selectFrom('admin_deployments')
    .where('id', '=', payload.deployment_id)
    .where('environment', '=', payload.environment)
    .where('config_version', '=', payload.version)
    .where('digest', '=', payload.digest)
    .select('id')
    .executeTakeFirst();
  if (target === undefined) throw notFound('deployment');
  await assertNoActiveRollout(tx, [payload.environment]);
  if (slot.stable_version !== payload.version) return slot;
  throw new Problem({ code: 'resource.conflict', detail: `Version ${payload.version} runs already.` });
}
