import type { Database } from '../database/database.ts';
import type { InvalidationEvent } from '../database/invalidation.ts';

/** Longest trust in what was read, whatever was not noticed (S4-25). */
const maxAgeMs = 30_000;

/** Whom a credential belongs to, and when that ends at the latest: milliseconds since the epoch. */
export interface Credential<Holder> {
  readonly holder: Holder;
  readonly endsAtMs: number;
}

/** What tells one kind of credential from another. */
export interface CredentialKind<Holder> {
  /** At this many everything is forgotten: it bounds memory and is met by no ordinary day. */
  readonly maxEntries: number;
  /** Whose entries a notice is about; null when it is about none. */
  readonly concernedBy: (notice: InvalidationEvent) => ((holder: Holder) => boolean) | null;
}

/**
 * The holders of the credentials that called lately, without a query for each request. Other processes' changes arrive
 * through `Invalidation` within a second; while that channel is down every request asks the database.
 */
export class CredentialCache<Holder> {
  readonly #invalidation: Pick<Database['invalidation'], 'isLive'>;
  readonly #now: () => number;
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Credential<Holder>>();
  /** Counts notices, so that an answer read before one is not kept after it. */
  #epoch = 0;

  constructor({ invalidation }: Pick<Database, 'invalidation'>, now: () => number, kind: CredentialKind<Holder>) {
    this.#invalidation = invalidation;
    this.#now = now;
    this.#maxEntries = kind.maxEntries;
    invalidation.subscribe((notice) => {
      this.#epoch += 1;
      if (notice.kind === '*') {
        this.#entries.clear();
        return;
      }
      const isConcerned = kind.concernedBy(notice);
      if (isConcerned === null) return;
      for (const [key, { holder }] of this.#entries) if (isConcerned(holder)) this.#entries.delete(key);
    });
  }

  /** The holder as it was read lately, else as `load` reads it now; null for a credential that is worth nothing. */
  async find(key: string, load: () => Promise<Credential<Holder> | null>): Promise<Holder | null> {
    const cached = this.#entries.get(key);
    if (cached !== undefined && cached.endsAtMs > this.#now() && this.#invalidation.isLive) return cached.holder;
    const epoch = this.#epoch;
    const loaded = await load();
    if (loaded === null) {
      this.#entries.delete(key);
      return null;
    }
    if (epoch === this.#epoch) this.#keep(key, loaded);
    return loaded.holder;
  }

  #keep(key: string, { holder, endsAtMs }: Credential<Holder>): void {
    if (this.#entries.size >= this.#maxEntries) this.#entries.clear();
    this.#entries.set(key, { holder, endsAtMs: Math.min(this.#now() + maxAgeMs, endsAtMs) });
  }
}
