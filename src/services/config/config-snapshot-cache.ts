import { openConfigSecrets, configInvalidation } from './environment-config.repository.ts';
import type { JsonValue } from '../../domain/shared/canonical.ts';
import { joinSecrets } from '../../domain/config/config-document.ts';
import { getsCandidate } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { read } from '../../platform/database/read.ts';
import { InvalidatedCache, keyedBy } from '../../platform/database/invalidated-cache.ts';

/** A version as it is served. */
export interface ServableConfig {
  readonly version: number;
  readonly digest: string;
  /** Made of version and content, so that it is the same in every process and after a restart. */
  readonly etag: string;
  readonly masked: JsonValue;
  /** The document with its secrets in clear: for applications only. */
  readonly document: JsonValue;
}

/** What an environment serves at one time. */
interface ConfigSnapshot {
  readonly stable: ServableConfig | null;
  readonly candidate: ServableConfig | null;
  readonly candidate_percentage: number;
  readonly deployment_id: string;
}

/**
 * Caches what environments serve. Reading takes no statement; a stage of a rollout reaches every process within a
 * second by an invalidation event. While that channel is down, every call reads the database: a version that was taken
 * back must not be served from a cache.
 */
export class ConfigSnapshots {
  readonly #db: Database;
  readonly #keyring: Keyring;
  readonly #cache: InvalidatedCache<ConfigSnapshot>;

  constructor(db: Database, keyring: Keyring, now: () => number) {
    this.#db = db;
    this.#keyring = keyring;
    this.#cache = new InvalidatedCache<ConfigSnapshot>(db, now, keyedBy('config'));
  }

  /** What an instance gets now, or null when there is nothing for it yet. */
  async serve(tenantId: string, environment: EnvironmentName, instance: string | null): Promise<ServableConfig | null> {
    const { stable, candidate, candidate_percentage, deployment_id } = await this.#get(tenantId, environment);
    const isPicked = candidate !== null && getsCandidate(deployment_id, candidate_percentage, instance);
    return isPicked ? candidate : stable;
  }

  #get(tenantId: string, environment: EnvironmentName): Promise<ConfigSnapshot> {
    const { key } = configInvalidation(tenantId, environment);
    return this.#cache.get(key, async () => ({ value: await this.#load(tenantId, environment) }));
  }

  async #load(tenantId: string, environment: EnvironmentName): Promise<ConfigSnapshot> {
    const rows = await read(
      this.#db,
      { tenant_id: tenantId, user_id: null },
      kysely
        .selectFrom('admin_environment_configs as e')
        .innerJoin('admin_config_versions as v', (join) =>
          join
            .onRef('v.environment', '=', 'e.environment')
            .on((eb) =>
              eb.or([
                eb('v.config_version', '=', eb.ref('e.stable_version')),
                eb('v.config_version', '=', eb.ref('e.candidate_version')),
              ]),
            ),
        )
        .where('e.environment', '=', environment)
        .select(['v.id', 'v.config_version', 'v.digest', 'v.document', 'v.secrets_ciphertext'])
        .select(['e.stable_version', 'e.candidate_version', 'e.candidate_percentage', 'e.deployment_id']),
    );
    const find = (version: number | null | undefined) => {
      const row = rows.find(({ config_version }) => config_version === version);
      return row === undefined ? null : this.#servable(row);
    };
    const [first] = rows;
    return {
      stable: find(first?.stable_version),
      candidate: find(first?.candidate_version),
      candidate_percentage: first?.candidate_percentage ?? 0,
      deployment_id: first?.deployment_id ?? '',
    };
  }

  #servable(row: {
    id: string;
    config_version: number;
    digest: string;
    document: JsonValue;
    secrets_ciphertext: string | null;
  }): ServableConfig {
    const { config_version: version, digest, document: masked } = row;
    return {
      version,
      digest,
      etag: `"${version}.${digest.slice(0, 16)}"`,
      masked,
      document: joinSecrets(masked, openConfigSecrets(this.#keyring, row)),
    };
  }
}
