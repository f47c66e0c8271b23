import { randomUUID } from 'node:crypto';
import { withClient } from '../src/dev/bootstrap-database.ts';
import { samplePeople } from '../src/dev/sample-data.ts';
import { defaultTenantId } from '../src/domain/shared/actor.ts';
import { createAccessTokens, createSigningKeyring } from '../src/platform/security/access-token.ts';
import type { Env } from '../src/platform/env.ts';
import { parseKeyList } from '../src/platform/security/keyring.ts';
import { plainAuditTable } from './arms/plain-audit-table.ts';

/** A person with an active session and its access token. */
export interface BenchPerson {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly session_id: string;
  readonly token: string;
}

const furtherTenants = 7;
/** So many that a list of 20 rows is one page of many. */
const colleagues = 2_000;

/**
 * Inserts tenants, people and sessions as superuser, because this is not part of what is measured.
 *
 * @returns a super admin of the default tenant, then one person of each further tenant.
 */
export async function seedBenchData(env: Env, adminUrl: string): Promise<BenchPerson[]> {
  const url = new URL(adminUrl);
  url.pathname = new URL(env.DATABASE_URL).pathname;
  const people = await withClient(url.href, async (admin) => {
    for (const statement of plainAuditTable) await admin.query(statement);
    await admin.query(
      `insert into users (tenant_id, email, full_name)
       select $1, 'colleague' || n || '@bench.invalid', 'Colleague ' || n from generate_series(1, $2::int) n`,
      [defaultTenantId, colleagues],
    );
    const found: Omit<BenchPerson, 'token'>[] = [
      { tenant_id: defaultTenantId, user_id: samplePeople[0]?.id ?? '', session_id: randomUUID() },
    ];
    for (let n = 1; n <= furtherTenants; n += 1) {
      const one = { tenant_id: randomUUID(), user_id: randomUUID(), session_id: randomUUID() };
      await admin.query('insert into tenants (id, name, domain) values ($1, $2, $3)', [one.tenant_id, `Bench ${n}`, `bench${n}.invalid`]);
      await admin.query('insert into users (id, tenant_id, email, full_name) values ($1, $2, $3, $4)', [
        one.user_id, one.tenant_id, `person@bench${n}.invalid`, `Person ${n}`,
      ]);
      found.push(one);
    }
    for (const { tenant_id, user_id, session_id } of found) await openBenchSession(admin, { tenant_id, user_id, session_id });
    await admin.query('analyze');
    return found;
  });
  return issueTokens(env, people);
}

interface Sql {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** An active session without refresh token. */
export async function openBenchSession(
  admin: Sql,
  { tenant_id, user_id, session_id }: Omit<BenchPerson, 'token'>,
): Promise<void> {
  await admin.query(
    `insert into sessions (id, tenant_id, user_id, method, expires_at) values ($1, $2, $3, 'password', now() + interval '1 day')`,
    [session_id, tenant_id, user_id],
  );
}

/** Signs access tokens with the deployment's own key. */
export async function issueTokens(env: Env, people: readonly Omit<BenchPerson, 'token'>[]): Promise<BenchPerson[]> {
  const tokens = createAccessTokens({
    keyring: createSigningKeyring(parseKeyList(env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS')),
    issuer: env.PUBLIC_URL,
    ttlSeconds: env.ACCESS_TOKEN_TTL_SECONDS,
  });
  return Promise.all(people.map(async (one) => ({ ...one, token: (await tokens.issue(one)).token })));
}
