import { sql } from 'kysely';
import type { Permission } from '../../domain/identity/permissions.ts';
import { effectiveRights, activeRoles } from '../../services/identity/active-role.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { readAll } from '../../platform/database/read.ts';
import { CredentialCache } from '../../platform/security/credential-cache.ts';
import type { Credential } from '../../platform/security/credential-cache.ts';

/** The person behind an active session. */
export interface SessionFacts {
  readonly user_id: string;
  readonly tenant_id: string;
  readonly session_id: string;
  readonly roles: readonly string[];
  readonly permissions: readonly Permission[];
}

/** Who the active sessions belong to and what they may do. Role assignments that end shorten the trust in them (S4-25). */
export class ActorCache {
  readonly #db: Database;
  readonly #sessions: CredentialCache<SessionFacts>;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#sessions = new CredentialCache(db, now, {
      maxEntries: 20_000,
      concernedBy: ({ kind, key }) => {
        if (kind === 'session') return ({ session_id }) => session_id === key;
        if (kind === 'user') return ({ user_id }) => user_id === key;
        return kind === 'tenant-roles' || kind === 'tenant' ? ({ tenant_id }) => tenant_id === key : null;
      },
    });
  }

  /** The facts of an active session, or null for one that is revoked, expired or whose person is not active. */
  async find(tenantId: string, sessionId: string): Promise<SessionFacts | null> {
    const facts = await this.#sessions.find(sessionId, () => this.#load(tenantId, sessionId));
    return facts?.tenant_id === tenantId ? facts : null;
  }

  async #load(tenantId: string, sessionId: string): Promise<Credential<SessionFacts> | null> {
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
    const roles = activeRoles().where('a.user_id', 'in', (eb) =>
      eb.selectFrom('sessions').where('id', '=', sessionId).select('user_id'),
    );
    const [[found], held] = await readAll(this.#db, scope, [session, roles] as const);
    if (found === undefined) return null;
    const ends = [found.expires_at, ...held.map(({ valid_until }) => valid_until)]
      .filter((end) => end !== null)
      .map((end) => Date.parse(end));
    return {
      holder: { user_id: found.user_id, tenant_id: tenantId, session_id: sessionId, ...effectiveRights(held) },
      endsAtMs: Math.min(...ends),
    };
  }
}
