import { randomInt, randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { personName, seededDraw } from '../../../src/dev/realistic-clients.ts';
import { systemRoles } from '../../../src/domain/identity/system-roles.ts';
import type { SystemRoleCode } from '../../../src/domain/identity/system-roles.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import { fromNow, uniqueName } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, NewRow, Row, Target } from './row-insertion.ts';

const draw = seededDraw(randomInt(2 ** 32));

export function newTenant(columns: Columns<'tenants'> = {}): NewRow<'tenants'> {
  return { name: 'Other', domain: `${randomUUID()}.test`, ...columns };
}

/** A company that uses the product. */
export function createTenant(target: Target, columns?: Columns<'tenants'>): Promise<Row<'tenants'>> {
  return insertRow(target, 'tenants', newTenant(columns));
}

export function newUser(columns: Columns<'users'> = {}): NewRow<'users'> {
  return { tenant_id: defaultTenantId, email: `${uniqueName('person')}@people.test`, full_name: 'Some Person', ...columns };
}

/** An active person, who cannot sign in without a password hash. */
export function createUser(target: Target, columns?: Columns<'users'>): Promise<Row<'users'>> {
  return insertRow(target, 'users', newUser(columns));
}

/**
 * A person with a name and a system role (S4-11), as the API makes them: with the coarse role and, for staff, the portal profile that
 * follow from it. They cannot sign in without a password hash.
 */
export async function createUserOfRole(
  db: Kysely<CastellanSchema>,
  code: SystemRoleCode,
  columns: Columns<'users'> = {},
): Promise<Row<'users'>> {
  const role = systemRoles.find((one) => one.code === code)?.coarse_role ?? 'user';
  const user = await createUser(db, { full_name: personName(draw), role, ...columns });
  const { id: user_id, tenant_id } = user;
  if (role !== 'user') await insertRow(db, 'admin_users', { tenant_id, user_id });
  await createRoleAssignment(db, { tenant_id, user_id, role_id: await systemRoleId(db, code) });
  return user;
}

export function createUserPreferences(
  target: Target,
  columns: Given<'user_preferences', 'user_id'>,
): Promise<Row<'user_preferences'>> {
  return insertRow(target, 'user_preferences', { tenant_id: defaultTenantId, ...columns });
}

/** An account at an external identity provider that signs a person in. */
export function createUserIdentity(
  target: Target,
  columns: Given<'user_identities', 'user_id' | 'issuer' | 'subject'>,
): Promise<Row<'user_identities'>> {
  return insertRow(target, 'user_identities', { tenant_id: defaultTenantId, ...columns });
}

/** A tenant's own role; codes that begin with `role-` are those of system roles. */
export function createRole(target: Target, columns: Columns<'admin_roles'> = {}): Promise<Row<'admin_roles'>> {
  return insertRow(target, 'admin_roles', { tenant_id: defaultTenantId, code: uniqueName('own'), name: 'Some Role', ...columns });
}

export function createRoleAssignment(
  target: Target,
  columns: Given<'admin_role_assignments', 'user_id' | 'role_id'>,
): Promise<Row<'admin_role_assignments'>> {
  return insertRow(target, 'admin_role_assignments', { tenant_id: defaultTenantId, ...columns });
}

/** The id of a role that all tenants have. */
export async function systemRoleId(db: Kysely<CastellanSchema>, code: string): Promise<string> {
  const role = db.selectFrom('admin_roles').select('id').where('code', '=', code).where('tenant_id', 'is', null);
  return (await role.executeTakeFirstOrThrow()).id;
}

/** A service token; the hash is of no token that anybody has. */
export function createServiceToken(target: Target, columns: Columns<'service_tokens'> = {}): Promise<Row<'service_tokens'>> {
  return insertRow(target, 'service_tokens', {
    tenant_id: defaultTenantId,
    name: uniqueName('token'),
    token_hash: Buffer.from(randomUUID().replaceAll('-', '').repeat(2), 'hex'),
    last4: '0000',
    permissions: ['flag:evaluate'],
    ...columns,
  });
}

/** An authenticator app. */
export function createMfaFactor(
  target: Target,
  columns: Given<'mfa_factors', 'user_id' | 'secret_ciphertext'>,
): Promise<Row<'mfa_factors'>> {
  return insertRow(target, 'mfa_factors', { tenant_id: defaultTenantId, ...columns });
}

/** A challenge that was met just now, in the person's own tenant where no other is named. */
export function createMfaChallenge(
  target: Target,
  columns: Given<'mfa_challenges', 'user_id' | 'session_id'>,
): Promise<Row<'mfa_challenges'>> {
  return insertRow(target, 'mfa_challenges', {
    tenant_id: ({ selectFrom }) => selectFrom('users').select('tenant_id').where('id', '=', columns.user_id as string),
    action: 'test',
    payload_digest: '0'.repeat(64),
    method: 'totp',
    expires_at: fromNow(300),
    verified_at: fromNow(0),
    proof_expires_at: fromNow(300),
    ...columns,
  });
}
