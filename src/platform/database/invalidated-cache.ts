import { LRUCache } from 'lru-cache';
import type { Database } from './database.ts';
import type { InvalidationEvent } from './invalidation.ts';

/** What a load gave. */
export interface Loaded<Value> {
  readonly value: Value;
  /** When the value itself ends, milliseconds since the epoch; one that has ended already is not kept. */
  readonly endsAtMs?: number;
}

/** How long and how many values are kept, and which changes end that. */
export interface CacheRules<Value> {
  /** When there are more, the least recently used one goes. */
  readonly maxEntries: number;
  /** Longest trust in a value: it bounds the damage of a change whose event was never announced. */
  readonly maxAgeMs: number;
  /** Which entries an event makes stale; null when it concerns none. */
  readonly concernedBy: (event: InvalidationEvent) => ((value: Value, key: string) => boolean) | null;
}

/** The rules of a cache of a kind of thing whose events name the very keys that are asked for. */
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
 * Values that were read from the database lately, so that hot requests need no statement. Changes of all processes arrive
 * through `Invalidation` within a second. While that channel is down every call loads: what was revoked or switched off
 * must not live on in a cache.
 */
export class InvalidatedCache<Value> {
  readonly #invalidation: Pick<Database['invalidation'], 'isLive'>;
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
   * The cached value, else what `load` gives now. Callers that come together share one load; one that began before an
   * event is not kept after it, nor is a failed one.
   */
  get(key: string, load: () => Promise<Loaded<Value>>): Promise<Value> {
    if (!this.#invalidation.isLive) return load().then(({ value }) => value);
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

  /** What a running load will give is not known yet, so those entries go too. */
  #drop(isConcerned: (value: Value, key: string) => boolean): void {
    const stale: string[] = [];
    for (const [key, { loaded }] of this.#entries.entries()) {
      if (loaded === null || isConcerned(loaded.value, key)) stale.push(key);
    }
    for (const key of stale) this.#entries.delete(key);
  }

  /** Another load may have taken the place of this one meanwhile. */
  #forget(key: string, entry: Entry<Value>): void {
    if (this.#entries.peek(key) === entry) this.#entries.delete(key);
  }
}
