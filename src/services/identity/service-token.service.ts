import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { isPermission } from '../../domain/identity/permissions.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import { CredentialCache } from '../../platform/security/credential-cache.ts';
import type { Credential } from '../../platform/security/credential-cache.ts';
import { uuidBytes, uuidText } from './uuid-bytes.ts';

/** `cst_` + tenant id + token id + 32 random bytes; the ids make the look-up a scoped one. */
const pattern = /^cst_([0-9a-f]{32})([0-9a-f]{32})([\w-]{43})$/;

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
  return { token, token_hash: Buffer.from(digestOf(token), 'hex'), last4: token.slice(-4) };
}

/** Who the living service tokens belong to. */
export class ServiceTokenCache {
  readonly #db: Database;
  readonly #tokens: CredentialCache<ServiceActor>;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#tokens = new CredentialCache(db, now, {
      maxEntries: 5_000,
      concernedBy: ({ kind, key }) => {
        if (kind === 'service-token') return ({ session_id }) => session_id === key;
        return kind === 'tenant' ? ({ tenant_id }) => tenant_id === key : null;
      },
    });
  }

  /** The caller, or null for a token that is unknown, revoked or expired. */
  async find(token: string): Promise<ServiceActor | null> {
    const parts = pattern.exec(token);
    if (parts === null) return null;
    const digest = digestOf(token);
    return this.#tokens.find(digest, () => this.#load(uuidOfHex(parts[1]), uuidOfHex(parts[2]), digest));
  }

  async #load(tenantId: string, id: string, digest: string): Promise<Credential<ServiceActor> | null> {
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
    if (row === undefined || !timingSafeEqual(row.token_hash, Buffer.from(digest, 'hex'))) return null;
    return {
      holder: {
        kind: 'service',
        user_id: null,
        tenant_id: tenantId,
        session_id: id,
        roles: [],
        permissions: row.permissions.filter(isPermission),
        environment: row.environment,
      },
      endsAtMs: row.expires_at === null ? Infinity : Date.parse(row.expires_at),
    };
  }
}

function digestOf(token: string): string {
  return hash('sha256', token, 'hex');
}

function uuidOfHex(hex = ''): string {
  return uuidText(Buffer.from(hex, 'hex'));
}
