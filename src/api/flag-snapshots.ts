import { createHash } from 'node:crypto';
import { flagDefinitionColumns, flagInvalidation } from '../actions/flag-store.ts';
import type { EnvironmentName } from '../domain/environment.ts';
import type { FlagDefinition } from '../domain/flag.ts';
import { query } from '../entities/schema.ts';
import type { Database } from '../platform/database.ts';
import { read } from '../platform/read.ts';

/** All flags of one environment at one moment. */
export interface FlagSnapshot {
  /** By key, in the order of keys. */
  readonly flags: ReadonlyMap<string, FlagDefinition>;
  /** Changes with every change of any flag. */
  readonly fingerprint: string;
}

interface Entry {
  readonly snapshot: Promise<FlagSnapshot>;
  readonly untilMs: number;
}

/** A notice could be lost only with its connection, and that is noticed; this bounds what cannot be thought of. */
const maxAgeMs = 60_000;
const maxEntries = 1_000;

/**
 * The flags of tenants and environments that applications asked for lately. Evaluation runs on them without a
 * statement; a change reaches every process within a second by an invalidation notice. While those do not arrive, every
 * call reads the database: a flag that was switched off must not live on in a cache.
 */
export class FlagSnapshots {
  readonly #db: Database;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
    db.invalidation.subscribe(({ kind, key }) => {
      if (kind === '*') this.#entries.clear();
      if (kind === 'flags') this.#entries.delete(key);
    });
  }

  /** Callers that come together share one reading; one that began before a notice is not kept after it. */
  get(tenantId: string, environment: EnvironmentName): Promise<FlagSnapshot> {
    if (!this.#db.invalidation.isLive) return this.#load(tenantId, environment);
    const { key } = flagInvalidation(tenantId, environment);
    const cached = this.#entries.get(key);
    if (cached !== undefined && cached.untilMs > this.#now()) return cached.snapshot;
    if (this.#entries.size >= maxEntries) this.#entries.clear();
    const entry = { snapshot: this.#load(tenantId, environment), untilMs: this.#now() + maxAgeMs };
    this.#entries.set(key, entry);
    entry.snapshot.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry.snapshot;
  }

  async #load(tenantId: string, environment: EnvironmentName): Promise<FlagSnapshot> {
    const rows = await read(
      this.#db,
      { tenant_id: tenantId, user_id: null },
      query
        .selectFrom('admin_feature_flags')
        .where('environment', '=', environment)
        .orderBy('key')
        .select(['key', 'version', ...flagDefinitionColumns]),
    );
    const hash = createHash('sha256');
    for (const { key, version } of rows) hash.update(`${key}@${version}\n`);
    return {
      flags: new Map(rows.map(({ key, version: _version, ...definition }) => [key, definition])),
      fingerprint: hash.digest('base64url'),
    };
  }
}
