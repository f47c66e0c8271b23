import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import type { Env } from '../../../src/platform/env.ts';
import { createAccessTokens, createSigningKeyring } from '../../../src/platform/security/access-token.ts';
import { parseKeyList } from '../../../src/platform/security/keyring.ts';
import { createMfaTokens } from '../../../src/platform/security/mfa-token.ts';
import { createMfaChallenge, createRole, createRoleAssignment, createTenant, createUser, systemRoleId } from '../../support/factories/identity.ts';
import { fromNow } from '../../support/factories/defaults.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { openAsSuperuser } from '../../support/superuser.ts';

/** Where the load goes: two API processes on one database. */
export interface StormTarget {
  readonly urls: readonly [string, string];
  readonly env: Env;
  /** The database behind every policy. */
  readonly adminUrl: string;
}

/** Somebody who calls. */
export interface StormPerson {
  readonly user_id: string;
  readonly session_id: string;
  readonly tenant_id: string;
}

/** A request for approval that somebody may decide on. */
export interface OpenRequest {
  readonly id: string;
  readonly digest: string;
  readonly requester: StormPerson;
  /** The flag as it will be. */
  readonly flag: KnownFlag;
}

/** A flag as it was answered last. */
export interface KnownFlag {
  readonly key: string;
  readonly environment: 'development' | 'production';
  readonly version: number;
  readonly enabled: boolean;
}

/** A company of the storm and what its load has learned from answers. Things are taken out while one caller uses them. */
export interface StormTenant {
  readonly id: string;
  /** Super admins, of whom any two can ask and approve. */
  readonly admins: readonly StormPerson[];
  /** People who only use the tracker. */
  readonly members: readonly StormPerson[];
  readonly requests: OpenRequest[];
  readonly flags: KnownFlag[];
  readonly campaigns: string[];
  readonly contacts: string[];
  readonly sessions: { readonly id: number; readonly owner: StormPerson }[];
  readonly queues: { readonly name: string; readonly isPaused: boolean }[];
  /** Members that were sent into campaigns, as `user/campaign`. */
  readonly joined: Set<string>;
  /** Of its configuration, as far as it is known; a wrong one is refused and nothing more. */
  config_version: number | null;
}

const adminsPerTenant = 4;
const membersPerTenant = 10;
const sessionSeconds = 24 * 3_600;
const retryMs = 100;

/**
 * The people of the load. They and their sessions are written into the database at the beginning, as are the factor proofs
 * later, because a code of an app would have to wait for its time step; everything that the storm is about goes over HTTP.
 */
export class World {
  readonly target: StormTarget;
  readonly db: Kysely<CastellanSchema>;
  readonly tenants: StormTenant[] = [];
  readonly #accessTokens;
  readonly #mfaTokens;
  readonly #tokens = new Map<string, { token: string; until: number }>();

  private constructor(target: StormTarget) {
    this.target = target;
    // The database is killed on purpose; whoever asks next gets a connection of its own.
    this.db = openAsSuperuser(target.adminUrl, 12);
    const keyring = createSigningKeyring(parseKeyList(target.env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS'));
    const issuer = target.env.PUBLIC_URL;
    this.#accessTokens = createAccessTokens({ keyring, issuer, ttlSeconds: target.env.ACCESS_TOKEN_TTL_SECONDS });
    this.#mfaTokens = createMfaTokens({ keyring, issuer });
  }

  /** Makes companies with people, where nobody else changes anything. Close it at the end. */
  static async make(target: StormTarget, tenants = 3): Promise<World> {
    const world = new World(target);
    for (let index = 0; index < tenants; index += 1) {
      const { id } = await createTenant(world.db);
      const superAdmin = await systemRoleId(world.db, 'role-super-admin');
      const { id: tracker } = await createRole(world.db, { tenant_id: id, permissions: ['profile:read', 'tracker:use'] });
      const people = async (count: number, role_id: string) => {
        const made: StormPerson[] = [];
        for (let one = 0; one < count; one += 1) made.push(await world.#person(id, role_id));
        return made;
      };
      world.tenants.push({
        id,
        admins: await people(adminsPerTenant, superAdmin),
        members: await people(membersPerTenant, tracker),
        requests: [],
        flags: [],
        campaigns: [],
        contacts: [],
        sessions: [],
        queues: [],
        joined: new Set(),
        config_version: null,
      });
    }
    return world;
  }

  async close(): Promise<void> {
    await this.db.destroy();
  }

  async #person(tenant_id: string, role_id: string): Promise<StormPerson> {
    const user = await createUser(this.db, { tenant_id });
    await createRoleAssignment(this.db, { tenant_id, user_id: user.id, role_id });
    const session = { tenant_id, user_id: user.id, method: 'password' as const, expires_at: fromNow(sessionSeconds) };
    const { id: session_id } = await insertRow(this.db, 'sessions', session);
    return { user_id: user.id, session_id, tenant_id };
  }

  /** An access token of the person. */
  async token(person: StormPerson): Promise<string> {
    const known = this.#tokens.get(person.session_id);
    if (known !== undefined && known.until > Date.now()) return known.token;
    const { token, expires_in_seconds } = await this.#accessTokens.issue(person);
    this.#tokens.set(person.session_id, { token, until: Date.now() + (expires_in_seconds * 1_000) / 2 });
    return token;
  }

  /** The flags of a company as a process serves them, by their keys. */
  async readFlags(tenant: StormTenant, url: string, environment: string): Promise<Map<string, unknown>> {
    const [admin] = tenant.admins;
    if (admin === undefined) throw new Error('A company has nobody who could read.');
    const response = await fetch(`${url}/ofrep/v1/evaluate/flags?environment=${environment}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await this.token(admin)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ context: { targetingKey: 'visitor-1' } }),
    });
    const { flags } = (await response.json()) as { flags: { key: string; value: unknown }[] };
    return new Map(flags.map(({ key, value }) => [key, value]));
  }

  /** A proof of the second factor for what a refusal asks for; waits for the database while that is away. */
  async proof({ user_id, session_id }: StormPerson, asked: { action: string; payload_digest: string }): Promise<string> {
    const { action, payload_digest } = asked;
    const binding = { user_id, session_id, action, payload_digest };
    const { id } = await persistently(() => createMfaChallenge(this.db, binding));
    return (await this.#mfaTokens.issue(binding, id)).token;
  }
}

/** A name that no other command has. */
export function newMarker(): string {
  return `s${randomBytes(8).toString('hex')}`;
}

export const newKey = (): string => randomUUID();

/** Does something with the database again and again until it is there. @throws the last error after a minute */
export async function persistently<Result>(work: () => Promise<Result>): Promise<Result> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(retryMs);
    }
  }
}
