import { createHash } from 'node:crypto';
import { flagDefinitionColumns } from './flag.queries.ts';
import { flagInvalidation } from './flag.repository.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { FlagDefinition } from '../../domain/flag/flag.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import { InvalidatedCache, keyedBy } from '../../platform/database/invalidated-cache.ts';

/** All flags of one environment at one time. */
interface FlagSnapshot {
  /** By key, in the order of keys. */
  readonly flags: ReadonlyMap<string, FlagDefinition>;
  /** Changes with every change of a flag; no two environments or tenants have the same. */
  readonly fingerprint: string;
}

/**
 * Caches the flags of environments. Evaluation takes no statement; a change reaches every process within a second by an
 * invalidation event. While that channel is down, every call reads the database: a flag that was switched off must not
 * be served from a cache.
 */
export class FlagSnapshots {
  readonly #db: Database;
  readonly #cache: InvalidatedCache<FlagSnapshot>;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#cache = new InvalidatedCache<FlagSnapshot>(db, now, keyedBy('flags'));
  }

  /** The flags of an environment now. */
  get(tenantId: string, environment: EnvironmentName): Promise<FlagSnapshot> {
    const { key } = flagInvalidation(tenantId, environment);
    return this.#cache.get(key, async () => ({ value: await this.#load(tenantId, environment) }));
  }

  async #load(tenantId: string, environment: EnvironmentName): Promise<FlagSnapshot> {
    const rows = await read(
      this.#db,
      { tenant_id: tenantId, user_id: null },
      kysely
        .selectFrom('admin_feature_flags')
        .where('environment', '=', environment)
        .orderBy('key')
        .select(['id', 'key', 'version', ...flagDefinitionColumns]),
    );
    const hash = createHash('sha256');
    hash.update(`${tenantId}/${environment}\n`);
    for (const { id, version } of rows) hash.update(`${id}@${version}\n`);
    return {
      flags: new Map(rows.map(({ id: _id, key, version: _version, ...definition }) => [key, definition])),
      fingerprint: hash.digest('base64url'),
    };
  }
}
