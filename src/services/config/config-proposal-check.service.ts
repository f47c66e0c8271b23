import { resolveKeptSecrets } from '../../domain/config/config-document.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { openSchema } from './config-json-schema.ts';
import type { SchemaJudge } from './config-json-schema.ts';
import { openConfigSecrets } from './environment-config.repository.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring'> & { readonly schemas: SchemaJudge };

/** What of a proposed change its check depends on. */
interface ChangeToCheck {
  readonly environment: EnvironmentName;
  readonly base_version: number | null;
  readonly schema?: JsonObject | undefined;
  readonly document: JsonValue;
}

/** The version that runs in an environment. */
interface RunningConfig {
  readonly id: string;
  readonly schema: JsonObject;
  readonly document: JsonValue;
  readonly secrets_ciphertext: string | null;
}

/** The places of the secrets of each checked document, by {@link questionDigest}. */
export type CheckedChanges = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Checks the documents of a proposal against their schemas, before any transaction: a check may take its time.
 *
 * @returns what was found for exactly these schemas and documents; the transaction looks up what it is about to write. A
 *   change that is based on another version than runs is left out, because the transaction refuses it.
 * @throws Problem `request.invalid`, `service.busy`
 */
export async function checkProposal(deps: Deps, actor: Actor, changes: readonly ChangeToCheck[]): Promise<CheckedChanges> {
  const checked = new Map<string, ReadonlySet<string>>();
  for (const [position, change] of changes.entries()) {
    const { stable_version, running } = await runningConfig(deps, actor, change.environment);
    if (stable_version !== change.base_version) continue;
    const question = proposedContent(deps.keyring, { change, running, position });
    checked.set(questionDigest(question), await deps.schemas.check(actor.tenant_id, question, `/changes/${position}`));
  }
  return checked;
}

/**
 * The schema and the document that a change is about, with the secrets that it keeps.
 *
 * @throws Problem `request.invalid` for a mask of a secret that is not there.
 */
export function proposedContent(
  keyring: Keyring,
  { change, running, position }: { change: ChangeToCheck; running: RunningConfig | undefined; position: number },
): { schema: JsonObject; document: JsonValue } {
  const schema = change.schema ?? running?.schema ?? openSchema;
  const known = running === undefined ? {} : openConfigSecrets(keyring, running);
  const { document, unknown } = resolveKeptSecrets(change.document, running?.document ?? null, known);
  if (unknown.length > 0) {
    const detail = 'is the mask of a secret that is not stored here; give its value';
    throw invalidInput(unknown.map((place) => ({ pointer: `/changes/${position}/document${place}`, detail })));
  }
  return { schema, document };
}

/** Names a check. It stays in memory, since it is a digest of secrets too. */
export function questionDigest({ schema, document }: { schema: JsonObject; document: JsonValue }): string {
  return payloadDigest({ schema, document });
}

async function runningConfig({ db }: Pick<Deps, 'db'>, actor: Actor, environment: EnvironmentName) {
  const [found] = await read(
    db,
    actor,
    kysely
      .selectFrom('admin_environment_configs as e')
      .leftJoin('admin_config_versions as v', (join) =>
        join.onRef('v.environment', '=', 'e.environment').onRef('v.config_version', '=', 'e.stable_version'),
      )
      .where('e.environment', '=', environment)
      .select(['e.stable_version', 'v.id', 'v.schema', 'v.document', 'v.secrets_ciphertext']),
  );
  if (found === undefined) return { stable_version: null, running: undefined };
  const { stable_version, id, schema, document, secrets_ciphertext } = found;
  const running = id === null || schema === null ? undefined : { id, schema, document, secrets_ciphertext };
  return { stable_version, running };
}
