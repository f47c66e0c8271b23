import { randomUUID } from 'node:crypto';
import { configDifferences, fingerprintsIn, splitSecrets } from '../../domain/config/config-document.ts';
import type { ConfigDifference } from '../../domain/config/config-document.ts';
import { sameJson } from '../../domain/shared/canonical.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import type { RolloutPlan } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertNoActiveRollout } from './config-deployment.service.ts';
import { proposedContent, questionDigest } from './config-proposal-check.service.ts';
import type { CheckedChanges } from './config-proposal-check.service.ts';
import { configDigest, configSecretPlace, lockEnvironment } from './environment-config.repository.ts';
import type { EnvironmentSlot } from './environment-config.repository.ts';
import { jsonb } from '../../platform/database/jsonb.ts';

/** A document that is to run in an environment. */
export interface ProposedConfig {
  readonly environment: EnvironmentName;
  /** The version that it was built on; null for the first one. */
  readonly base_version: number | null;
  /** The schema from now on; the present one stays when it is left out. */
  readonly schema?: JsonObject | undefined;
  readonly document: JsonValue;
  readonly plan: RolloutPlan;
}

/** A part of a proposal as it is stored. */
export interface ProposedChange {
  readonly environment: EnvironmentName;
  readonly version: number;
  readonly base_version: number | null;
  readonly digest: string;
  readonly plan: RolloutPlan;
  readonly differences: readonly ConfigDifference[];
  readonly schema_changed: boolean;
}

/**
 * Stores a proposal: the secrets of each document are sealed, and it gets the next version number of its environment. What is
 * served does not change until `config.apply` lets it roll out.
 *
 * @param checked what `checkProposal` has found of these changes before the transaction: nothing is checked inside, where it
 *   would hold locks.
 * @throws Problem for a document that changes nothing, or was built or checked on another version than runs.
 */
export async function writeProposal(
  tx: Tx,
  keyring: Keyring,
  { id: proposal_id, changes, reason }: { id: string; changes: readonly ProposedConfig[]; reason: string },
  checked: CheckedChanges,
): Promise<{ proposal_id: string; changes: ProposedChange[] }> {
  const environments = changes.map(({ environment }) => environment);
  await tx.sql
    .insertInto('admin_config_proposals')
    .values({
      id: proposal_id,
      tenant_id: tx.actor.tenant_id,
      plans: jsonb(Object.fromEntries(changes.map(({ environment, plan }) => [environment, plan]))),
      reason,
      proposed_by: tx.actor.user_id,
    })
    .execute();
  // Always in the same order, so that two proposals cannot deadlock.
  const slots = new Map<EnvironmentName, EnvironmentSlot>();
  for (const environment of environments.toSorted()) slots.set(environment, await lockEnvironment(tx, environment));
  await assertNoActiveRollout(tx, environments);
  const written: ProposedChange[] = [];
  for (const [position, change] of changes.entries()) {
    const slot = slots.get(change.environment);
    if (slot !== undefined) written.push(await writePart(tx, keyring, { slot, change, proposal_id, position, checked }));
  }
  tx.audit({
    event: 'config.proposed',
    action: 'create',
    resource_type: 'environment_config',
    resource_id: proposal_id,
    new_values: { reason, changes: written.map(({ differences: _differences, ...facts }) => facts) },
  });
  return { proposal_id, changes: written };
}

interface Part {
  readonly slot: EnvironmentSlot;
  readonly change: ProposedConfig;
  readonly proposal_id: string;
  readonly position: number;
  readonly checked: CheckedChanges;
}

async function writePart(
  tx: Tx,
  keyring: Keyring,
  { slot, change, proposal_id, position, checked }: Part,
): Promise<ProposedChange> {
  const { environment, base_version, plan } = change;
  const running = await runningVersion(tx, slot);
  if (slot.stable_version !== base_version) throw staleBase(slot, base_version, running?.document, change.document);
  const { schema, document } = proposedContent(keyring, { change, running, position });
  const places = checked.get(questionDigest({ schema, document }));
  // What runs has changed since it was checked, so it was checked against something else.
  if (places === undefined) throw staleBase(slot, base_version, running?.document, change.document);
  // An unchanged secret keeps its fingerprint when the master key has changed, so that it is no difference.
  const prints = running === undefined ? [] : fingerprintsIn(running.document);
  const printOf = (text: string) =>
    prints.find((print) => keyring.matchesFingerprint(text, print)) ?? keyring.fingerprint(text);
  const { masked, secrets } = splitSecrets(document, places, printOf);
  const schema_changed = running === undefined || !sameJson(running.schema, schema);
  const differences = configDifferences(running?.document ?? null, masked);
  if (differences.length === 0 && !schema_changed) {
    throw new Problem({
      code: 'resource.conflict',
      detail: `The configuration of ${environment} has exactly this content already.`,
    });
  }
  const id = randomUUID();
  const version = slot.last_version + 1;
  const digest = configDigest({ environment, schema, document: masked });
  const hasSecrets = Object.keys(secrets).length > 0;
  await tx.sql
    .insertInto('admin_config_versions')
    .values({
      id,
      tenant_id: tx.actor.tenant_id,
      environment,
      config_version: version,
      proposal_id,
      position,
      base_version,
      schema: jsonb(schema),
      document: jsonb(masked),
      secrets_ciphertext: hasSecrets ? keyring.seal(JSON.stringify(secrets), configSecretPlace(id)) : null,
      digest,
    })
    .execute();
  await tx.sql
    .updateTable('admin_environment_configs')
    .set({ last_version: version })
    .where('id', '=', slot.id)
    .execute();
  return { environment, version, base_version, digest, plan, differences, schema_changed };
}

async function runningVersion(tx: Tx, { environment, stable_version }: EnvironmentSlot) {
  if (stable_version === null) return undefined;
  return tx.sql
    .selectFrom('admin_config_versions')
    .where('environment', '=', environment)
    .where('config_version', '=', stable_version)
    .select(['id', 'schema', 'document', 'secrets_ciphertext'])
    .executeTakeFirst();
}

function staleBase(
  { environment, stable_version }: EnvironmentSlot,
  base: number | null,
  running: JsonValue | undefined,
  proposed: JsonValue,
): Problem {
  // A proposed secret is in clear here, so only the places of differences may be named, not their values.
  const places = configDifferences(running ?? null, proposed).map(({ path }) => path);
  return new Problem({
    code: 'config.version-conflict',
    detail:
      `Version ${stable_version ?? 'none'} runs in ${environment}, the change is based on ${base ?? 'none'}. Read it ` +
      'again.',
    members: { environment, base_version: base, current_version: stable_version, differing_paths: places.slice(0, 100) },
  });
}
