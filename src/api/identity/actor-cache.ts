import { sql } from 'kysely';
import type { Permission } from '../../domain/permissions.ts';
import { effectiveRights, livingRoles } from '../../entities/living-roles.ts';
import { query } from '../../entities/schema.ts';
import type { Database } from '../../platform/database.ts';
import { readAll } from '../../platform/read.ts';

/** What a living session says about its person. */
export interface SessionFacts {
  readonly user_id: string;
  readonly tenant_id: string;
  readonly session_id: string;
  readonly roles: readonly string[];
  readonly permissions: readonly Permission[];
}

interface Entry {
  readonly facts: SessionFacts;
  readonly untilMs: number;
}

/** Longest trust in a cached session; role assignments that end earlier shorten it (S4-25). */
const maxAgeMs = 30_000;
const maxEntries = 20_000;

/**
 * Who the living sessions belong to and what they may do, without a query per request. Other processes' changes arrive
 * through {@link Invalidation} within a second (capability 37); while that channel is down every request asks the
 * database.
 */
export class ActorCache {
  readonly #db: Database;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  /** Counts invalidations, so that an answer read before one is not cached after it. */
  #epoch = 0;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
    db.invalidation.subscribe(({ kind, key }) => {
      this.#epoch += 1;
      if (kind === 'session') this.#entries.delete(key);
      else if (kind === 'user') this.#drop(({ facts }) => facts.user_id === key);
      else if (kind === 'tenant-roles' || kind === 'tenant') this.#drop(({ facts }) => facts.tenant_id === key);
      else if (kind === '*') this.#entries.clear();
    });
  }

  /** The facts of a session that lives, or null for one that is revoked, expired or whose person is not active. */
  async find(tenantId: string, sessionId: string): Promise<SessionFacts | null> {
    const cached = this.#entries.get(sessionId);
    if (cached !== undefined && cached.untilMs > this.#now() && this.#db.invalidation.isLive) {
      return cached.facts.tenant_id === tenantId ? cached.facts : null;
    }
    const epoch = this.#epoch;
    const loaded = await this.#load(tenantId, sessionId);
    if (loaded === null) {
      this.#entries.delete(sessionId);
      return null;
    }
    if (epoch === this.#epoch) {
      if (this.#entries.size >= maxEntries) this.#entries.clear();
      this.#entries.set(sessionId, loaded);
    }
    return loaded.facts;
  }

  #drop(matches: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) if (matches(entry)) this.#entries.delete(key);
  }

  async #load(tenantId: string, sessionId: string): Promise<Entry | null> {
    const scope = { tenant_id: tenantId, user_id: null };
    const session = query
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .innerJoin('tenants as t', 't.id', 's.tenant_id')
      .where('s.id', '=', sessionId)
      .where('s.revoked_at', 'is', null)
      .where('s.expires_at', '>', sql<string>`now()`)
      .where('u.status', '=', 'active')
      .where('t.status', '=', 'active')
      .select(['s.user_id', 's.expires_at']);
    const roles = livingRoles().where('a.user_id', 'in', (eb) =>
      eb.selectFrom('sessions').where('id', '=', sessionId).select('user_id'),
    );
    const [[found], held] = await readAll(this.#db, scope, [session, roles] as const);
    if (found === undefined) return null;
    const ends = [found.expires_at, ...held.map(({ valid_until }) => valid_until)]
      .filter((end) => end !== null)
      .map((end) => Date.parse(end));
    return {
      facts: { user_id: found.user_id, tenant_id: tenantId, session_id: sessionId, ...effectiveRights(held) },
      untilMs: Math.min(this.#now() + maxAgeMs, ...ends),
    };
  }
}
