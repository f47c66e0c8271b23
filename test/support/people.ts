import { randomBytes } from 'node:crypto';
import { samplePassword } from '../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { createAccessTokens } from '../../src/platform/security/access-token.ts';
import type { SignedIn, TestApi } from './api.ts';
import { createRoleAssignment, createUser, newTenant, systemRoleId } from './factories/identity.ts';
import { callProven } from './second-factor.ts';
import { withSuperuser } from './superuser.ts';

/** The tenant of an outsider, who holds every permission there and nothing in the default tenant. */
export const otherTenantId = '00000000-0000-4000-8000-0000000000b0';

/** A person who was made in a test. */
export interface Member {
  readonly user_id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** A tenant that was made through the API, with its first super admin signed in. */
export interface OtherTenant {
  readonly tenant_id: string;
  readonly admin: Member;
}

/** A password that the rules accept, different for everybody. */
export function testPassword(): string {
  return `velvet-harbour-${randomBytes(6).toString('hex')}`;
}

/** Signs in with e-mail and password. */
export async function signInMember(
  app: Pick<TestApi, 'call'>,
  person: { readonly user_id: string; readonly email: string; readonly password: string },
): Promise<Member> {
  const { email, password } = person;
  const answer = await app.call('POST', '/auth/login', { body: { email, password } });
  if (answer.status !== 200) throw new Error(`Sign-in of ${email} failed: ${JSON.stringify(answer.body)}`);
  const { access_token: token, refresh_token, session_id } = answer.body;
  return { ...person, token, refresh_token, session_id };
}

/** Creates a second tenant as the default tenant's super admin, over HTTP, and signs its first super admin in. */
export async function secondTenant(app: TestApi): Promise<OtherTenant> {
  const root = await app.signIn('role-super-admin');
  const name = `other-${randomBytes(4).toString('hex')}`;
  const [email, password] = [`boss@${name}.example`, testPassword()];
  const created = await callProven(app, root, 'POST', '/tenants', {
    body: { name, domain: `${name}.example`, super_admin: { full_name: 'Other Boss', email, password } },
  });
  if (created.status !== 201) throw new Error(`No second tenant: ${JSON.stringify(created.body)}`);
  const { id, super_admin_id } = created.body;
  return { tenant_id: id, admin: await signInMember(app, { user_id: super_admin_id, email, password }) };
}

/** Creates an account with system roles as `by`, and signs it in. */
export async function newMember(app: TestApi, by: Member, roleCodes: readonly string[] = []): Promise<Member> {
  const roles = await roleIds(app, by, roleCodes);
  const [email, password] = [`m-${randomBytes(5).toString('hex')}@members.example`, testPassword()];
  const created = await callProven(app, by, 'POST', '/admin/users', {
    body: { full_name: 'Some Member', email, password, roles: roles.map((role_id) => ({ role_id })) },
  });
  if (created.status !== 201) throw new Error(`No member: ${JSON.stringify(created.body)}`);
  return signInMember(app, { user_id: created.body.id, email, password });
}

/** Ids of roles by their codes. */
export async function roleIds(app: Pick<TestApi, 'call'>, by: Pick<Member, 'token'>, codes: readonly string[]): Promise<string[]> {
  const { body } = await app.call('GET', '/rbac/roles', { token: by.token });
  return codes.map((code) => body.find((role: { code: string }) => role.code === code).id);
}

/** A person inserted with the sample password, then signed in over HTTP. Without a role code he holds nothing. */
export async function makePerson(app: TestApi, tenantId: string, roleCode: string | null): Promise<SignedIn> {
  const { id, email } = await withSuperuser(app, async (db) => {
    const tenant = newTenant({ id: tenantId });
    await db.insertInto('tenants').values(tenant).onConflict((conflict) => conflict.doNothing()).execute();
    const sample = db.selectFrom('users').select('password_hash').where('password_hash', 'is not', null);
    const { password_hash } = await sample.limit(1).executeTakeFirstOrThrow();
    const user = await createUser(db, { tenant_id: tenantId, password_hash });
    if (roleCode !== null) {
      await createRoleAssignment(db, { tenant_id: tenantId, user_id: user.id, role_id: await systemRoleId(db, roleCode) });
    }
    return user;
  });
  const person = await signInMember(app, { user_id: id, email: email ?? '', password: samplePassword });
  return { ...person, totp_secret: '' };
}

/** A token of ours that was good an hour ago. */
export async function expiredToken(app: TestApi, { user_id, session_id }: SignedIn): Promise<string> {
  const anHourAgo = createAccessTokens({
    keyring: app.api.deps.signingKeys,
    issuer: app.env.PUBLIC_URL,
    ttlSeconds: 60,
    now: () => Date.now() - 3_600_000,
  });
  const { token } = await anHourAgo.issue({ user_id, session_id, tenant_id: defaultTenantId });
  return token;
}
