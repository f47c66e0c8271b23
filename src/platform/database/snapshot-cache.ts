import type { Database } from './database.ts';

/** A notice could be lost only with its connection, and that is noticed; this bounds what cannot be thought of. */
const maxAgeMs = 60_000;
const maxEntries = 1_000;

interface Entry<Snapshot> {
  readonly snapshot: Promise<Snapshot>;
  readonly untilMs: number;
}

/**
 * What applications asked for lately, as it stood in the database. Reading runs without a statement; a change reaches
 * every process within a second by an invalidation notice. While those do not arrive, every call reads the database: what
 * was switched off or taken back must not live on in a cache.
 */
export class SnapshotCache<Snapshot> {
  readonly #db: Pick<Database, 'invalidation'>;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry<Snapshot>>();

  /** @param kind of the notices that tell of a change; their key is the one that is asked for */
  constructor(db: Pick<Database, 'invalidation'>, kind: string, now: () => number) {
    this.#db = db;
    this.#now = now;
    db.invalidation.subscribe((event) => {
      if (event.kind === '*') this.#entries.clear();
      if (event.kind === kind) this.#entries.delete(event.key);
    });
  }

  /** Callers that come together share one reading; one that began before a notice is not kept after it. */
  get(key: string, load: () => Promise<Snapshot>): Promise<Snapshot> {
    if (!this.#db.invalidation.isLive) return load();
    const cached = this.#entries.get(key);
    if (cached !== undefined && cached.untilMs > this.#now()) return cached.snapshot;
    if (this.#entries.size >= maxEntries) this.#entries.clear();
    const entry = { snapshot: load(), untilMs: this.#now() + maxAgeMs };
    this.#entries.set(key, entry);
    entry.snapshot.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry.snapshot;
  }
}
