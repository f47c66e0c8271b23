import { sql } from 'kysely';
import type { Permission } from '../../../domain/identity/permissions.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { Database } from '../../../platform/database/database.ts';
import { InvalidatedCache } from '../../../platform/database/invalidated-cache.ts';
import type { Loaded } from '../../../platform/database/invalidated-cache.ts';
import { readAll } from '../../../platform/database/read.ts';
import { activeRoles, effectiveRights } from '../role/active-role.queries.ts';

/** Longest trust in what was read of a credential, should a change of it ever go unnoticed (S4-25). */
export const credentialMaxAgeMs = 30_000;

/** Whose an active session is, and what the person may do. */
interface SessionFacts {
  readonly user_id: string;
  readonly tenant_id: string;
  readonly session_id: string;
  readonly roles: readonly string[];
  readonly permissions: readonly Permission[];
}

/** The facts of the sessions that called lately. A role assignment that ends shortens the trust in them (S4-25). */
export class ActorCache {
  readonly #db: Database;
  readonly #sessions: InvalidatedCache<SessionFacts | null>;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#sessions = new InvalidatedCache<SessionFacts | null>(db, now, {
      maxEntries: 20_000,
      maxAgeMs: credentialMaxAgeMs,
      concernedBy: ({ kind, key }) => {
        if (kind === 'session') return (facts) => facts?.session_id === key;
        if (kind === 'user') return (facts) => facts?.user_id === key;
        return kind === 'tenant-roles' || kind === 'tenant' ? (facts) => facts?.tenant_id === key : null;
      },
    });
  }

  /** The facts of a session, or null for one that is revoked, expired or whose person is not active. */
  find(tenantId: string, sessionId: string): Promise<SessionFacts | null> {
    return this.#sessions.get(`${tenantId}/${sessionId}`, () => this.#load(tenantId, sessionId));
  }

  async #load(tenantId: string, sessionId: string): Promise<Loaded<SessionFacts | null>> {
    const scope = { tenant_id: tenantId, user_id: null };
    const session = kysely
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .innerJoin('tenants as t', 't.id', 's.tenant_id')
      .where('s.id', '=', sessionId)
      .where('s.revoked_at', 'is', null)
      .where('s.expires_at', '>', sql<string>`now()`)
      .where('u.status', '=', 'active')
      .where('t.status', '=', 'active')
      .select(['s.user_id', 's.expires_at']);
    const roles = activeRoles().where('a.user_id', 'in', (eb) =>
      eb.selectFrom('sessions').where('id', '=', sessionId).select('user_id'),
    );
    const [[found], held] = await readAll(this.#db, scope, [session, roles] as const);
    if (found === undefined) return { value: null, endsAtMs: 0 };
    const ends = [found.expires_at, ...held.map(({ valid_until }) => valid_until)]
      .filter((end) => end !== null)
      .map((end) => Date.parse(end));
    return {
      value: { user_id: found.user_id, tenant_id: tenantId, session_id: sessionId, ...effectiveRights(held) },
      endsAtMs: Math.min(...ends),
    };
  }
}
