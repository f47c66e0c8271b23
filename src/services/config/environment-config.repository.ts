import { canonicalJson } from '../../domain/shared/canonical.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { ledgerForm, ledgerGenesis } from '../../domain/config/config-ledger.ts';
import type { LedgerEvent, LedgerFacts } from '../../domain/config/config-ledger.ts';
import type { ServedConfig } from '../../domain/config/config-rollout.ts';
import type { SecretValues } from '../../domain/config/config-document.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import type { Keyring, SecretPlace } from '../../platform/security/keyring.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { nextVersion } from '../../platform/row-version.ts';

/** What an environment serves, locked until the transaction ends. */
export interface EnvironmentSlot extends ServedConfig {
  readonly id: string;
  readonly environment: EnvironmentName;
  readonly fence: number;
  readonly ledger_seq: number;
  readonly ledger_hash: string;
  readonly last_version: number;
  readonly deployment_id: string | null;
  readonly version: number;
}

const slotColumns = [
  'id',
  'environment',
  'stable_version',
  'candidate_version',
  'candidate_percentage',
  'deployment_id',
  'fence',
  'ledger_seq',
  'ledger_hash',
  'last_version',
  'version',
] as const;

/** Locks the row of an environment, which is inserted when it is first needed. */
export async function lockEnvironment(tx: Tx, environment: EnvironmentName): Promise<EnvironmentSlot> {
  await tx.sql
    .insertInto('admin_environment_configs')
    .values({ tenant_id: tx.actor.tenant_id, environment, ledger_hash: ledgerGenesis })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'environment']).doNothing())
    .execute();
  return tx.sql
    .selectFrom('admin_environment_configs')
    .where('environment', '=', environment)
    .select(slotColumns)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

/** The invalidation event of a change of what an environment serves. */
export function configInvalidation(tenantId: string, environment: EnvironmentName): { kind: string; key: string } {
  return { kind: 'config', key: `${tenantId}/${environment}` };
}

/** Where the secrets of a version are sealed. */
export function configSecretPlace(versionId: string): SecretPlace {
  return { table: 'admin_config_versions', column: 'secrets_ciphertext', row_id: versionId };
}

/** The secrets of a version by JSON pointer. */
export function openConfigSecrets(
  keyring: Keyring,
  row: { id: string; secrets_ciphertext: string | null },
): SecretValues {
  if (row.secrets_ciphertext === null) return {};
  return JSON.parse(keyring.open(row.secrets_ciphertext, configSecretPlace(row.id))) as SecretValues;
}

/**
 * What a version is named by in approvals and in the ledger: the SHA-256 of its environment, its schema and its masked
 * document. Secrets take part by their keyed fingerprints, so a digest gives nothing away about them.
 */
export function configDigest(row: { environment: EnvironmentName; schema: JsonObject; document: JsonValue }): string {
  const { environment, schema, document } = row;
  return payloadDigest({ environment, schema, document });
}

/** A step of a deployment, as the ledger records it. */
interface LedgerNote {
  readonly event: LedgerEvent;
  readonly deployment_id: string;
  readonly approval_id: string | null;
  readonly evidence: JsonObject;
}

/**
 * Changes what an environment serves, together with the row of the ledger. The write names the fence it is made under:
 * a run of a rollout that was overtaken by another one changes nothing.
 *
 * @throws Problem `rollout.fenced` when the fence is not the present one any more.
 */
export async function serve(
  tx: Tx,
  slot: EnvironmentSlot,
  served: ServedConfig & { readonly fence: number },
  note: LedgerNote,
): Promise<void> {
  const { fence, ...state } = served;
  const facts = await ledgerFacts(tx, slot, state, note);
  const hash = payloadDigest(ledgerForm(tx.actor.tenant_id, slot.ledger_hash, facts));
  const updated = await tx.sql
    .updateTable('admin_environment_configs')
    .set({
      ...state,
      deployment_id: state.candidate_version === null ? null : note.deployment_id,
      ledger_seq: facts.seq,
      ledger_hash: hash,
      updated_at: new Date().toISOString(),
      version: nextVersion(),
    })
    .where('id', '=', slot.id)
    .where('fence', '=', fence)
    .returning('id')
    .executeTakeFirst();
  if (updated === undefined) throw fenced();
  await tx.sql
    .insertInto('admin_deployment_events')
    .values({
      ...facts,
      tenant_id: tx.actor.tenant_id,
      approvers: jsonb([...facts.approvers]),
      evidence: jsonb(facts.evidence),
      prev_hash: slot.ledger_hash,
      hash,
    })
    .execute();
  tx.invalidate(configInvalidation(tx.actor.tenant_id, slot.environment));
}

/** The problem of a run that has been overtaken. */
export function fenced(): Problem {
  return new Problem({ code: 'rollout.fenced', detail: 'Another run of this rollout has taken over.' });
}

async function ledgerFacts(tx: Tx, slot: EnvironmentSlot, served: ServedConfig, note: LedgerNote): Promise<LedgerFacts> {
  const versions = [served.stable_version, served.candidate_version].filter((version) => version !== null);
  const digests = new Map<number, string>();
  if (versions.length > 0) {
    const rows = await tx.sql
      .selectFrom('admin_config_versions')
      .where('environment', '=', slot.environment)
      .where('config_version', 'in', versions)
      .select(['config_version', 'digest'])
      .execute();
    for (const { config_version, digest } of rows) digests.set(config_version, digest);
  }
  const digestOf = (version: number | null) => (version === null ? null : (digests.get(version) ?? null));
  return {
    environment: slot.environment,
    seq: slot.ledger_seq + 1,
    at: new Date().toISOString(),
    event: note.event,
    deployment_id: note.deployment_id,
    stable_version: served.stable_version,
    stable_digest: digestOf(served.stable_version),
    candidate_version: served.candidate_version,
    candidate_digest: digestOf(served.candidate_version),
    candidate_percentage: served.candidate_percentage,
    approval_id: note.approval_id,
    approvers: await approversOf(tx, note.approval_id),
    actor_id: tx.actor.user_id,
    evidence: JSON.parse(canonicalJson(note.evidence)) as JsonObject,
  };
}

async function approversOf(tx: Tx, approvalId: string | null): Promise<string[]> {
  if (approvalId === null) return [];
  const rows = await tx.sql
    .selectFrom('admin_approval_decisions')
    .where('approval_id', '=', approvalId)
    .where('verdict', 'in', ['approved', 'bypassed'])
    .where('voided_at', 'is', null)
    .orderBy('created_at')
    .select('approver_id')
    .execute();
  return [...new Set(rows.map(({ approver_id }) => approver_id))];
}
