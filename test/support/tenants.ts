import { randomBytes } from 'node:crypto';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import type { Answer, CallOptions, TestApi } from './api.ts';

/** A person who was made in a test; proves the second factor by the code in the mail, so proofs never wait. */
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

/**
 * Creates a second tenant as the default tenant's super admin, over HTTP, and signs its first super admin in.
 * Costs the sample super admin one TOTP step: call it before other gated calls of that person.
 */
export async function secondTenant(app: TestApi): Promise<OtherTenant> {
  const root = await app.signIn('role-super-admin');
  const name = `other-${randomBytes(4).toString('hex')}`;
  const [email, password] = [`boss@${name}.example`, testPassword()];
  const created = await app.callWithMfa(root, 'POST', '/tenants', {
    body: { name, domain: `${name}.example`, super_admin: { full_name: 'Other Boss', email, password } },
  });
  if (created.status !== 201) throw new Error(`No second tenant: ${JSON.stringify(created.body)}`);
  const { id, super_admin_id } = created.body;
  return { tenant_id: id, admin: await signInMember(app, { user_id: super_admin_id, email, password }) };
}

/** Makes a call that needs the factor: asks, reads the mailed code, proves it and repeats. */
export async function callAsMember(
  app: TestApi,
  person: Member,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const call = await provenCall(app, person, method, path, options);
  return call();
}

/** Proves the factor for a call and leaves the call itself for later, so that several can be made at one time. */
export async function provenCall(
  app: TestApi,
  person: Member,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<() => Promise<Answer>> {
  const asked = await app.call(method, path, { ...options, token: person.token });
  if (asked.status !== 403 || asked.body.code !== 'mfa.required') return async () => asked;
  const proof = await mailedProof(app, person, asked);
  const headers = { ...options.headers, 'x-mfa-token': proof };
  return () => app.call(method, path, { ...options, token: person.token, headers });
}

/** The proof that a refusal asks for, by the code that is mailed to the person. */
export async function mailedProof(app: TestApi, person: Member, asked: Answer): Promise<string> {
  const { action, payload_digest } = asked.body;
  const asking = { token: person.token, body: { action, payload_digest } };
  const challenge = await app.call('POST', '/admin/mfa/request', asking);
  if (challenge.status >= 300) throw new Error(`No challenge: ${JSON.stringify(challenge.body)}`);
  const body = { challenge_id: challenge.body.challenge_id, code: await lastMailedCode(app, person.email) };
  const verified = await app.call('POST', '/admin/mfa/verify', { token: person.token, body });
  if (verified.status >= 300) throw new Error(`The code was refused: ${JSON.stringify(verified.body)}`);
  return verified.body.mfa_token;
}

async function lastMailedCode(app: TestApi, email: string): Promise<string> {
  const { rows } = await withClient(app.database.adminUrl, (client) =>
    client.query<{ body: string }>(
      'select body from development_mails where recipient = $1 order by id desc limit 1',
      [email],
    ),
  );
  return /\b\d{6}\b/.exec(rows[0]?.body ?? '')?.[0] ?? '';
}

/** Creates an account with system roles as `by`, and signs it in. */
export async function newMember(app: TestApi, by: Member, roleCodes: readonly string[] = []): Promise<Member> {
  const roles = await roleIds(app, by, roleCodes);
  const [email, password] = [`m-${randomBytes(5).toString('hex')}@members.example`, testPassword()];
  const created = await callAsMember(app, by, 'POST', '/admin/users', {
    body: { full_name: 'Some Member', email, password, roles: roles.map((role_id) => ({ role_id })) },
  });
  if (created.status !== 201) throw new Error(`No member: ${JSON.stringify(created.body)}`);
  return signInMember(app, { user_id: created.body.id, email, password });
}

/** Ids of roles by their codes. */
export async function roleIds(app: Pick<TestApi, 'call'>, by: Member, codes: readonly string[]): Promise<string[]> {
  const { body } = await app.call('GET', '/rbac/roles', { token: by.token });
  return codes.map((code) => body.find((role: { code: string }) => role.code === code).id);
}
