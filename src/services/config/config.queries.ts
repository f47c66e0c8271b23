import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { sameJson } from '../../domain/shared/canonical.ts';
import { configDifferences } from '../../domain/config/config-document.ts';
import { activeRolloutStatuses } from '../../domain/config/config-rollout.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { deploymentColumns } from './config-deployment.queries.ts';

/** What environments serve, with the rollouts under way and what instances report; one round trip. */
export async function loadEnvironmentConfigs(
  { db }: ReadDeps,
  actor: Actor,
  environment: EnvironmentName | undefined,
) {
  const asked = environment === undefined ? [...environmentNames] : [environment];
  const [slots, versions, rollouts, instances] = await readAll(db, actor, [
    kysely
      .selectFrom('admin_environment_configs')
      .where('environment', 'in', asked)
      .select(['environment', 'stable_version', 'candidate_version', 'candidate_percentage']),
    kysely
      .selectFrom('admin_config_versions as v')
      .innerJoin('admin_environment_configs as e', 'e.environment', 'v.environment')
      .where('v.environment', 'in', asked)
      .where((eb) =>
        eb.or([
          eb('v.config_version', '=', eb.ref('e.stable_version')),
          eb('v.config_version', '=', eb.ref('e.candidate_version')),
        ]),
      )
      .select(['v.environment', 'v.config_version', 'v.digest', 'v.schema', 'v.document', 'v.created_at']),
    kysely
      .selectFrom('admin_deployments')
      .where('environment', 'in', asked)
      .where('status', 'in', [...activeRolloutStatuses])
      .select(deploymentColumns),
    kysely
      .selectFrom('admin_config_reports')
      .where('environment', 'in', asked)
      .where('reported_at', '>', sql<string>`now() - interval '1 hour'`)
      .groupBy(['environment', 'config_version'])
      .orderBy('config_version')
      .select(['environment', 'config_version as version', sql<number>`count(*)::int`.as('count')]),
  ] as const);
  return asked.map((name) => {
    const slot = slots.find((row) => row.environment === name);
    const version = (number: number | null | undefined) => {
      const found = versions.find((row) => row.environment === name && row.config_version === number);
      return found === undefined ? null : { ...found, version: found.config_version };
    };
    const running = version(slot?.stable_version);
    const candidate = version(slot?.candidate_version);
    return {
      environment: name,
      schema: running?.schema ?? null,
      running,
      candidate,
      candidate_percentage: slot?.candidate_percentage ?? 0,
      rollout: rollouts.find((row) => row.environment === name) ?? null,
      instances: instances.filter((row) => row.environment === name),
    };
  });
}

/**
 * A proposal with the difference of each part to what runs in its environment now.
 *
 * @throws Problem `resource.not-found`
 */
export async function findConfigProposal({ db }: ReadDeps, actor: Actor, id: string) {
  const [[proposal], parts] = await readAll(db, actor, [
    kysely.selectFrom('admin_config_proposals').where('id', '=', id).select(['id', 'reason', 'plans']),
    kysely
      .selectFrom('admin_config_versions as v')
      .leftJoin('admin_environment_configs as e', 'e.environment', 'v.environment')
      .leftJoin('admin_config_versions as r', (join) =>
        join.onRef('r.environment', '=', 'e.environment').onRef('r.config_version', '=', 'e.stable_version'),
      )
      .where('v.proposal_id', '=', id)
      .orderBy('v.position')
      .select(['v.environment', 'v.config_version', 'v.base_version', 'v.digest', 'v.document', 'v.schema'])
      .select(['r.document as running_document', 'r.schema as running_schema']),
  ] as const);
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
}
