import { LRUCache } from 'lru-cache';
import type { Database } from './database.ts';
import type { InvalidationEvent } from './invalidation.ts';

/** The result of a load. */
export interface Loaded<Value> {
  readonly value: Value;
  /** When the value itself expires, milliseconds since the epoch; an expired one is not cached. */
  readonly endsAtMs?: number;
}

/** How long and how many values are cached, and which changes invalidate them. */
export interface CacheRules<Value> {
  /** When there are more, the least recently used one is evicted. */
  readonly maxEntries: number;
  /** Maximum age of a value: the bound for a change whose event was never announced. */
  readonly maxAgeMs: number;
  /** The entries that an event invalidates; null when it concerns none. */
  readonly concernedBy: (event: InvalidationEvent) => ((value: Value, key: string) => boolean) | null;
}

/** The options of a cache whose events name the same keys as its lookups. */
export function keyedBy(kind: string): CacheRules<unknown> {
  return {
    maxEntries: 1_000,
    maxAgeMs: 60_000,
    concernedBy: (event) => (event.kind === kind ? (_value, key) => key === event.key : null),
  };
}

interface Entry<Value> {
  readonly promise: Promise<Value>;
  /** Null while the load runs. */
  loaded: Loaded<Value> | null;
  untilMs: number;
}

/**
 * A read-through cache of database values, so that frequent requests need no statement. Changes of all processes arrive
 * through `Invalidation` within a second, those of this process before its answer leaves. While that channel does not answer
 * every call loads: what was revoked or switched off must not be served from a cache.
 */
export class InvalidatedCache<Value> {
  readonly #invalidation: Pick<Database['invalidation'], 'isCurrent'>;
  readonly #now: () => number;
  readonly #maxAgeMs: number;
  readonly #entries: LRUCache<string, Entry<Value>>;

  constructor({ invalidation }: Pick<Database, 'invalidation'>, now: () => number, rules: CacheRules<Value>) {
    this.#invalidation = invalidation;
    this.#now = now;
    this.#maxAgeMs = rules.maxAgeMs;
    this.#entries = new LRUCache({ max: rules.maxEntries });
    invalidation.subscribe((event) => {
      if (event.kind === '*') {
        this.#entries.clear();
        return;
      }
      const isConcerned = rules.concernedBy(event);
      if (isConcerned !== null) this.#drop(isConcerned);
    });
  }

  /**
   * The cached value, otherwise the result of `load`. Concurrent callers share one load. A load that began before an event
   * is not cached after it, nor is a failed one.
   */
  get(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const isCurrent = this.#invalidation.isCurrent();
    if (isCurrent === true) return this.#cached(key, load);
    return Promise.resolve(isCurrent).then((may) => (may ? this.#cached(key, load) : load().then(({ value }) => value)));
  }

  #cached(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    const cached = this.#entries.get(key);
    if (cached !== undefined && cached.untilMs > this.#now()) return cached.promise;
    const loading = load();
    const entry: Entry<Value> = {
      promise: loading.then(({ value }) => value),
      loaded: null,
      untilMs: this.#now() + this.#maxAgeMs,
    };
    this.#entries.set(key, entry);
    loading.then(
      (loaded) => {
        entry.loaded = loaded;
        entry.untilMs = Math.min(entry.untilMs, loaded.endsAtMs ?? Infinity);
        if (entry.untilMs <= this.#now()) this.#forget(key, entry);
      },
      () => this.#forget(key, entry),
    );
    return entry.promise;
  }

  /** The result of a running load is not known yet, so those entries are removed, too. */
  #drop(isConcerned: (value: Value, key: string) => boolean): void {
    const stale: string[] = [];
    for (const [key, { loaded }] of this.#entries.entries()) {
      if (loaded === null || isConcerned(loaded.value, key)) stale.push(key);
    }
    for (const key of stale) this.#entries.delete(key);
  }

  /** Another load may have replaced this one meanwhile. */
  #forget(key: string, entry: Entry<Value>): void {
    if (this.#entries.peek(key) === entry) this.#entries.delete(key);
  }
}
