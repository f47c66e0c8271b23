import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { GateEffect } from '../../domain/approval/gate-strength.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { RolloutPlan } from '../../domain/config/config-rollout.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { startCommittedRollouts } from './config-batch.client.ts';
import { approvedDeploymentQuery, insertDeployment, assertNoActiveRollout } from './config-deployment.service.ts';
import { lockEnvironment } from './environment-config.repository.ts';
import type { EnvironmentSlot } from './environment-config.repository.ts';
import { configDigestText, configEnvironment, configReason, configVersionNumber } from './config.payload.ts';
import { configApply, writersOf } from './config-apply.action.ts';
import { effectiveGate, gatePolicyQuery } from '../actions/gate-policy.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** What is approved of a rollback. */
const configRollbackPayload = z.strictObject({
  deployment_id: uuid.describe('The deployment to roll back to'),
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
  demands: { depends_on: ['rollback_target'], gate: gateByTarget },
  policy: async (db, scope, { environment }) => (await gateOfApplying(db, scope, environment)).policy,
  // Where a rollback takes an approval, none stands for the version: whoever wrote it does not approve it.
  writers: async (tx, { environment, version }) =>
    writersOf(
      await tx.sql
        .selectFrom('admin_config_versions as v')
        .innerJoin('admin_config_proposals as p', 'p.id', 'v.proposal_id')
        .where('v.environment', '=', environment)
        .where('v.config_version', '=', version)
        .select('p.proposed_by')
        .execute(),
    ),
  reason: ({ reason }) => reason,
  describe: ({ environment, version, digest }) =>
    `Roll back to configuration version ${version} (${digest.slice(0, 12)}) in ${environment}, immediately for all ` +
    'instances.',
  check: async (tx, payload) => {
    await lockTarget(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const slot = await lockTarget(tx, payload);
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

/** The gate of a new configuration in the place of the rollback. */
async function gateOfApplying(db: ReadSource, scope: ReadScope, environment: EnvironmentName): Promise<GateEffect> {
  const [row] = await read(db, scope, gatePolicyQuery(configApply.name, environment));
  return effectiveGate(configApply, environment, row);
}

/**
 * What a rollback needs by its target: a second factor where the environment asks for no approval, and to a version that ran
 * there to its end and was approved within the window; anything else, such as what guards took away, takes the whole path of
 * a new configuration (T-11).
 */
async function gateByTarget(db: ReadSource, scope: ReadScope, payload: Payload): Promise<GateLevel> {
  const { environment, digest, deployment_id } = payload;
  const { gate } = await gateOfApplying(db, scope, environment);
  if (gate !== 'approval') return 'mfa';
  const approved = await read(db, scope, approvedDeploymentQuery(environment, { digest, deployment_id }));
  return approved.length > 0 ? 'mfa' : 'approval';
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
