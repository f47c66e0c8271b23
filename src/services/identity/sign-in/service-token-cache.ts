import { timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { Actor } from '../../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../../domain/shared/environment.ts';
import { isPermission } from '../../../domain/identity/permissions.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { Database } from '../../../platform/database/database.ts';
import { InvalidatedCache } from '../../../platform/database/invalidated-cache.ts';
import type { Loaded } from '../../../platform/database/invalidated-cache.ts';
import { read } from '../../../platform/database/read.ts';
import { credentialMaxAgeMs } from './actor-cache.ts';
import { parseServiceToken } from './service-token-format.ts';
import type { ServiceTokenParts } from './service-token-format.ts';

/** The caller behind a service token. */
export interface ServiceActor
  extends Pick<Actor, 'user_id' | 'tenant_id' | 'session_id' | 'roles' | 'permissions'> {
  readonly kind: 'service';
  readonly environment: EnvironmentName | null;
}

/** The callers of the service tokens that were used lately. */
export class ServiceTokenCache {
  readonly #db: Database;
  readonly #callers: InvalidatedCache<ServiceActor | null>;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#callers = new InvalidatedCache<ServiceActor | null>(db, now, {
      maxEntries: 5_000,
      maxAgeMs: credentialMaxAgeMs,
      concernedBy: ({ kind, key }) => {
        if (kind === 'service-token') return (caller) => caller?.session_id === key;
        return kind === 'tenant' ? (caller) => caller?.tenant_id === key : null;
      },
    });
  }

  /** The caller, or null for a token that is unknown, revoked or expired, or whose tenant is suspended. */
  async find(token: string): Promise<ServiceActor | null> {
    const parts = parseServiceToken(token);
    return parts === null ? null : this.#callers.get(parts.digest, () => this.#load(parts));
  }

  async #load({ tenant_id, id, digest }: ServiceTokenParts): Promise<Loaded<ServiceActor | null>> {
    const [row] = await read(
      this.#db,
      { tenant_id, user_id: null },
      kysely
        .selectFrom('service_tokens')
        .innerJoin('tenants', 'tenants.id', 'service_tokens.tenant_id')
        .where('service_tokens.id', '=', id)
        .where('tenants.status', '=', 'active')
        .where('revoked_at', 'is', null)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<string>`now()`)]))
        .select(['token_hash', 'environment', 'permissions', 'expires_at']),
    );
    if (row === undefined || !timingSafeEqual(row.token_hash, Buffer.from(digest, 'hex'))) {
      return { value: null, endsAtMs: 0 };
    }
    return {
      value: {
        kind: 'service',
        user_id: null,
        tenant_id,
        session_id: id,
        roles: [],
        permissions: row.permissions.filter(isPermission),
        environment: row.environment,
      },
      endsAtMs: row.expires_at === null ? Infinity : Date.parse(row.expires_at),
    };
  }
}
