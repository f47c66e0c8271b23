import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { Actor } from '../../domain/actor.ts';
import type { EnvironmentName } from '../../domain/environment.ts';
import { isPermission } from '../../domain/permissions.ts';
import { query } from '../../entities/schema.ts';
import type { Database } from '../../platform/database.ts';
import { read } from '../../platform/read.ts';
import { uuidBytes, uuidText } from './uuid-bytes.ts';

/** `cst_` + tenant id + token id + 32 random bytes; the ids make the look-up a scoped one. */
const pattern = /^cst_([0-9a-f]{32})([0-9a-f]{32})([\w-]{43})$/;
const cacheMs = 30_000;
const maxEntries = 5_000;

/** The caller behind a service token. */
export interface ServiceActor
  extends Pick<Actor, 'user_id' | 'tenant_id' | 'session_id' | 'roles' | 'permissions'> {
  readonly kind: 'service';
  readonly environment: EnvironmentName | null;
}

/** True when the text has the form of our service tokens. */
export function isServiceToken(token: string): boolean {
  return token.startsWith('cst_');
}

/** Makes a new service token; only its hash and its last four characters are kept. */
export function issueServiceToken(tenantId: string, id: string): { token: string; token_hash: Buffer; last4: string } {
  const ids = Buffer.concat([uuidBytes(tenantId), uuidBytes(id)]).toString('hex');
  const token = `cst_${ids}${randomBytes(32).toString('base64url')}`;
  return { token, token_hash: hashOf(token), last4: token.slice(-4) };
}

/**
 * The living service tokens that called lately. A revocation reaches every process within a second by an invalidation
 * notice; while those do not arrive, every call asks the database.
 */
export class ServiceTokenCache {
  readonly #db: Database;
  readonly #now: () => number;
  readonly #entries = new Map<string, { actor: ServiceActor; id: string; untilMs: number }>();
  #epoch = 0;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
    db.invalidation.subscribe(({ kind, key }) => {
      this.#epoch += 1;
      if (kind === '*') this.#entries.clear();
      if (kind !== 'service-token' && kind !== 'tenant') return;
      for (const [hash, { id, actor }] of this.#entries) {
        if ((kind === 'tenant' ? actor.tenant_id : id) === key) this.#entries.delete(hash);
      }
    });
  }

  /** The caller, or null for a token that is unknown, revoked or expired. */
  async find(token: string): Promise<ServiceActor | null> {
    const parts = pattern.exec(token);
    if (parts === null) return null;
    const hash = hashOf(token);
    const cacheKey = hash.toString('base64');
    const cached = this.#entries.get(cacheKey);
    if (cached !== undefined && cached.untilMs > this.#now() && this.#db.invalidation.isLive) return cached.actor;
    const epoch = this.#epoch;
    const [tenantId, id] = [uuidOfHex(parts[1]), uuidOfHex(parts[2])];
    const [row] = await read(
      this.#db,
      { tenant_id: tenantId, user_id: null },
      query
        .selectFrom('service_tokens')
        .innerJoin('tenants', 'tenants.id', 'service_tokens.tenant_id')
        .where('service_tokens.id', '=', id)
        .where('tenants.status', '=', 'active')
        .where('revoked_at', 'is', null)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<string>`now()`)]))
        .select(['token_hash', 'environment', 'permissions', 'expires_at']),
    );
    if (row === undefined || !timingSafeEqual(row.token_hash, hash)) return null;
    const actor: ServiceActor = {
      kind: 'service',
      user_id: null,
      tenant_id: tenantId,
      session_id: id,
      roles: [],
      permissions: row.permissions.filter(isPermission),
      environment: row.environment,
    };
    if (epoch === this.#epoch) {
      if (this.#entries.size >= maxEntries) this.#entries.clear();
      const end = row.expires_at === null ? Infinity : Date.parse(row.expires_at);
      this.#entries.set(cacheKey, { actor, id, untilMs: Math.min(this.#now() + cacheMs, end) });
    }
    return actor;
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function uuidOfHex(hex = ''): string {
  return uuidText(Buffer.from(hex, 'hex'));
}
