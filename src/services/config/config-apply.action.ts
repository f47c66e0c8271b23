import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { ProposedPlans } from '../../entities/config/environment-config.entity.ts';
import { sameJson } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { startCommittedRollouts } from './config-batch.client.ts';
import { insertDeployment, assertNoActiveRollout } from './config-deployment.service.ts';
import { configDigest, lockEnvironment } from './environment-config.repository.ts';
import { configDigestText, configEnvironment, configReason, configVersionNumber, rolloutPlan } from './config.payload.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** What is approved: documents by their digests, and how they are rolled out. */
const configApplyPayload = z.strictObject({
  proposal_id: uuid,
  changes: z
    .array(
      z.strictObject({
        environment: configEnvironment,
        version: configVersionNumber,
        base_version: configVersionNumber.nullable().describe('Version that ran when the change was made'),
        digest: configDigestText,
        plan: rolloutPlan,
      }),
    )
    .min(1)
    .max(environmentNames.length)
    .describe('In the order in which they are rolled out'),
  reason: configReason,
});

type Payload = z.output<typeof configApplyPayload>;

/** The environment whose gate is in force for a change of several: the one nearest to production. */
export function guardingEnvironment(environments: readonly EnvironmentName[]): EnvironmentName {
  return environmentNames.findLast((name) => environments.includes(name)) ?? 'production';
}

/**
 * Lets a proposed configuration roll out (S2-36, S2-61). It records the deployments; their workflow serves them stage
 * by stage. What rolls out is exactly what was approved: digests are computed again from what is stored.
 */
export const configApply = defineAction({
  name: 'config.apply',
  title: 'Roll a configuration out',
  permission: 'config:propose',
  payload: configApplyPayload,
  environment: ({ changes }) => guardingEnvironment(changes.map(({ environment }) => environment)),
  floor: (environment) => (environment === 'production' ? 'approval' : 'none'),
  reason: ({ reason }) => reason,
  describe,
  present: (_db, _scope, payload) =>
    Promise.resolve({
      description: describe(payload),
      changes: payload.changes.map(({ environment, version, base_version }) => ({
        field: `configuration of ${environment}`,
        before: base_version === null ? null : `version ${base_version}`,
        after: `version ${version}: GET /admin/environment-config/proposals/${payload.proposal_id} shows the difference`,
      })),
    }),
  writers: async (tx, { proposal_id }) =>
    writersOf(await tx.sql.selectFrom('admin_config_proposals').where('id', '=', proposal_id).select('proposed_by').execute()),
  basis: ({ changes }) => {
    const environment = guardingEnvironment(changes.map((change) => change.environment));
    return {
      base_version: changes.find((change) => change.environment === environment)?.base_version ?? null,
      judged_by: 'version',
      query: kysely
        .selectFrom('admin_environment_configs')
        .where('environment', '=', environment)
        .select('stable_version as version'),
    };
  },
  check: async (tx, payload) => {
    await lockUnchanged(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    await lockUnchanged(tx, payload);
    const batch_id = randomUUID();
    const ids: string[] = [];
    for (const [position, { environment, version, base_version, digest, plan }] of payload.changes.entries()) {
      const deployment = {
        environment,
        kind: 'rollout',
        batch_id,
        position,
        proposal_id: payload.proposal_id,
        config_version: version,
        previous_version: base_version,
        digest,
        plan,
        reason: payload.reason,
      } as const;
      ids.push(await insertDeployment(tx, deployment, authority));
    }
    return { batch_id, deployment_ids: ids };
  },
  // The way back is a change with a gate of its own: `config.rollback` to the deployment before.
  undo: () => null,
  afterCommit: startCommittedRollouts,
});

/** Those who wrote some proposals; nobody for what a job of the product proposed. */
export function writersOf(proposals: readonly { readonly proposed_by: string | null }[]): string[] {
  return proposals.flatMap(({ proposed_by }) => (proposed_by === null ? [] : [proposed_by]));
}

/** One sentence an environment. */
function describe({ changes }: Payload): string {
  return changes
      .map(({ environment, version, base_version, digest, plan }) => {
      const from = base_version === null ? 'as its first' : `over version ${base_version}`;
      const how = `${plan.strategy.kind}, ${plan.guards.length} guards${plan.dry_run ? ', dry run' : ''}`;
      return `Roll configuration version ${version} (${digest.slice(0, 12)}) out in ${environment} ${from}: ${how}.`;
    })
    .join(' ');
}

/**
 * Locks the environments, always in the same order, and checks that the change still is what it was.
 *
 * @throws Problem when it was built on another version, is not what is stored, or another rollout is under way.
 */
async function lockUnchanged(tx: Tx, { proposal_id, changes }: Payload): Promise<void> {
  const proposal = await tx.sql
    .selectFrom('admin_config_proposals')
    .where('id', '=', proposal_id)
    .select('plans')
    .executeTakeFirst();
  if (proposal === undefined) throw notFound('configuration proposal');
  const ordered = changes.toSorted((left, right) => (left.environment < right.environment ? -1 : 1));
  for (const change of ordered) await lockPart(tx, proposal_id, proposal.plans, change);
  await assertNoActiveRollout(
    tx,
    changes.map(({ environment }) => environment),
  );
}

async function lockPart(
  tx: Tx,
  proposalId: string,
  plans: ProposedPlans,
  change: Payload['changes'][number],
): Promise<void> {
  const slot = await lockEnvironment(tx, change.environment);
  const stored = await tx.sql
    .selectFrom('admin_config_versions')
    .where('environment', '=', change.environment)
    .where('config_version', '=', change.version)
    .where('proposal_id', '=', proposalId)
    .select(['environment', 'schema', 'document', 'digest', 'base_version'])
    .executeTakeFirst();
  const isSame =
    stored !== undefined &&
    stored.digest === change.digest &&
    configDigest(stored) === change.digest &&
    stored.base_version === change.base_version &&
    sameJson(plans[change.environment] ?? null, change.plan);
  if (!isSame) {
    throw new Problem({
      code: 'approval.payload-changed',
      detail: `The change of ${change.environment} is not the one that was proposed.`,
    });
  }
  if (slot.stable_version === change.base_version) return;
  throw new Problem({
    code: 'config.version-conflict',
    detail:
      `Version ${slot.stable_version ?? 'none'} runs in ${change.environment} now. Check the difference and propose ` +
      'again.',
    members: {
      environment: change.environment,
      base_version: change.base_version,
      current_version: slot.stable_version,
    },
  });
}
