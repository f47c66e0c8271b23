import type { Actor } from '../../domain/shared/actor.ts';
import { brokenLedgerRow } from '../../domain/config/config-ledger.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { Problem } from '../../platform/problem.ts';
import { payloadDigest } from '../../platform/security/digest.ts';

/** Columns of a row of the ledger: what its hash covers, the hash, and that of the row before. */
export const ledgerColumns = [
  'environment',
  'seq',
  'at',
  'event',
  'deployment_id',
  'stable_version',
  'stable_digest',
  'candidate_version',
  'candidate_digest',
  'candidate_percentage',
  'approval_id',
  'approvers',
  'actor_id',
  'evidence',
  'prev_hash',
  'hash',
] as const;

/** Whether every row of an environment's ledger follows from the one before it, up to the head. */
export async function verifyLedger({ db }: ReadDeps, actor: Actor, environment: EnvironmentName) {
  const [[slot], rows] = await readAll(db, actor, [
    kysely
      .selectFrom('admin_environment_configs')
      .where('environment', '=', environment)
      .select(['ledger_seq', 'ledger_hash']),
    kysely
      .selectFrom('admin_deployment_events')
      .where('environment', '=', environment)
      .orderBy('seq')
      .select(ledgerColumns),
  ] as const);
  const head = slot === undefined ? null : { seq: slot.ledger_seq, hash: slot.ledger_hash };
  const broken = head === null ? null : brokenLedgerRow(actor.tenant_id, rows, head, payloadDigest);
  return {
    environment,
    rows: rows.length,
    head_hash: head?.hash ?? null,
    is_intact: broken === null,
    first_broken_seq: broken,
  };
}

/**
 * What ran in an environment at a time (RFC 3339): the row of the ledger that was in force, and the versions it names.
 *
 * @throws Problem `config.none` before the first configuration.
 */
export async function findConfigAt(
  { db }: ReadDeps,
  actor: Actor,
  { environment, at }: { readonly environment: EnvironmentName; readonly at: string },
) {
  const [[ledger], versions] = await readAll(db, actor, [
    ledgerAtQuery(environment, at).select(ledgerColumns),
    kysely
      .with('moment', () => ledgerAtQuery(environment, at).select(['stable_version', 'candidate_version']))
      .selectFrom('admin_config_versions as v')
      .innerJoin('moment as m', (join) =>
        join.on((eb) =>
          eb.or([
            eb('v.config_version', '=', eb.ref('m.stable_version')),
            eb('v.config_version', '=', eb.ref('m.candidate_version')),
          ]),
        ),
      )
      .where('v.environment', '=', environment)
      .select(['v.config_version as version', 'v.digest', 'v.document', 'v.created_at']),
  ] as const);
  if (ledger === undefined) {
    throw new Problem({ code: 'config.none', detail: `Nothing was configured for ${environment} then.` });
  }
  const find = (number: number | null) => versions.find(({ version }) => version === number) ?? null;
  return { ledger, running: find(ledger.stable_version), candidate: find(ledger.candidate_version) };
}

/** The row of the ledger that was in force at a time. */
function ledgerAtQuery(environment: EnvironmentName, at: string) {
  return kysely
    .selectFrom('admin_deployment_events')
    .where('environment', '=', environment)
    .where('at', '<=', at)
    .orderBy('at', 'desc')
    .orderBy('seq', 'desc')
    .limit(1);
}
