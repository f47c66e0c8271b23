import { createMfaFactor, createRole, createRoleAssignment, createServiceToken, createTenant, createUser, createUserIdentity } from '../../support/factories/identity.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { createContact } from '../../support/factories/assignment.ts';
import { day, fromNow, uniqueName } from '../../support/factories/defaults.ts';
import { testPassword } from '../../support/people.ts';
import { byWorkflow, ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine, Example } from './command-line.ts';
import type { CommandStage } from './stage.ts';

const permissions = ['profile:read'];

/** A role of somebody, that may be taken away. */
async function grantOf({ db }: CommandStage) {
  const [user, role] = [await createUser(db), await createRole(db, { permissions })];
  const { id } = await createRoleAssignment(db, { user_id: user.id, role_id: role.id });
  return { path: `/admin/users/${user.id}/roles/${id}` };
}

/** A software module that somebody may use. */
async function moduleOf(stage: CommandStage) {
  const { id } = await createUser(stage.db);
  const path = `/api/v1/users/${id}/agent-permissions`;
  const body = { agent_name: 'pdf_processing', can_read: true, expires_at: fromNow(5 * day) };
  const { headers } = await stage.done(stage.admin, 'POST', path, { body });
  return { path: `${path}/pdf_processing`, etag: headers.get('etag') ?? '' };
}

/** An account that somebody has made alone, and somebody else who can confirm it. */
async function unconfirmed(stage: CommandStage) {
  const { person, other, tenant_id } = await stage.tenant();
  const made = await createUser(stage.db, { tenant_id });
  const act = await insertRow(stage.db, 'account_acts', { tenant_id, target_id: made.id, actor_id: person.user_id, kind: 'create' });
  return { confirmer: other, user_id: made.id, acts: [act.id] };
}

/** The erasure of a contact that was deleted. */
async function erasure({ db }: CommandStage, tenant_id: string): Promise<Example> {
  const { id } = await createContact(db, { tenant_id, deleted_at: fromNow(0) });
  return { path: `/admin/persons/${id}/erase`, body: { kind: 'contact', reason: 'asked for it' } };
}

const noKey = (operationId: string, reason: string): CommandLine => ({ operationId, kind: 'none', reason });

export const peopleLines: readonly CommandLine[] = [
  noKey('openAccountLink', 'public: a link is its own proof, and looking at it changes nothing for anybody else'),
  noKey('completeAccountLink', 'public: a link works once, and its holder has no account yet'),
  noKey('login', 'public: whoever signs in has no account to keep a key under'),
  noKey('requestFactorRecovery', 'public: a repetition finds the request that is open instead of opening another'),
  noKey('refresh', 'public: the refresh token is used once, and its repetition has a rule of its own'),
  noKey('logout', 'ending the own session is the same however often it is done'),
  noKey('requestMFACode', 'a code that was sent is not sent again by a repetition; one asks for another'),
  noKey('verifyMFACode', 'the challenge is used once, and its proof must not be kept'),
  noKey('setUpTotp', 'the answer is a secret that is shown once'),
  noKey('verifyTotp', 'the answer has recovery codes, which are shown once'),
  noKey('disableTotp', 'a code is used once'),
  noKey('renewRecoveryCodes', 'the answer has recovery codes, which are shown once'),
  noKey('checkPermission', 'a read by POST'),
  noKey('decodeTemporalPayloads', 'a read by POST'),
  noKey('encodeTemporalPayloads', 'a read by POST'),
  inTransaction('linkUserIdentity', async ({ db }) => {
    const { id } = await createUser(db);
    const subject = uniqueName('subject');
    const body = (name: string) => ({ issuer: 'https://id.example.com', subject: name });
    return { path: `/admin/users/${id}/identities`, body: body(subject), other: { body: body(`${subject}-2`) } };
  }),
  inTransaction('unlinkUserIdentity', async ({ db }) => {
    const { id } = await createUser(db);
    const identity = await createUserIdentity(db, { user_id: id, issuer: 'https://id.example.com', subject: uniqueName('subject') });
    return { path: `/admin/users/${id}/identities/${identity.id}` };
  }),
  inTransaction('updatePreferences', async (stage) => {
    const person = await stage.person();
    return { person, path: '/users/me/preferences', body: { theme: 'dark' }, other: { body: { theme: 'light' } } };
  }),
  inTransaction('changePassword', async (stage) => {
    const body = { current_password: stage.password, new_password: testPassword() };
    const other = { body: { ...body, new_password: testPassword() } };
    return { person: await stage.person(), path: '/users/me/password', body, other };
  }),
  inTransaction('updateSignInFactor', async (stage) => {
    const person = await stage.person();
    await createMfaFactor(stage.db, { user_id: person.user_id, secret_ciphertext: 'unsealed', confirmed_at: fromNow(0) });
    const body = { sign_in_requires_totp: true, password: stage.password };
    const other = { body: { ...body, sign_in_requires_totp: false } };
    return { person, path: '/users/me/sign-in-factor', body, other };
  }),
  inTransaction('createUser', async () => {
    const body = { full_name: 'New Person', email: `${uniqueName('new')}@people.test` };
    return { path: '/admin/users', body };
  }),
  inTransaction('updateUser', async ({ db }) => {
    const { id } = await createUser(db);
    return { path: `/admin/users/${id}`, body: { full_name: 'Renamed' }, headers: ifMatch(1) };
  }),
  inTransaction('deleteUser', async ({ db }) => {
    const path = `/admin/users/${(await createUser(db)).id}`;
    return { path: `${path}?reason=left`, headers: ifMatch(1), other: { path } };
  }),
  inTransaction('forceLogoutUser', async (stage) => ({ path: `/admin/users/${(await stage.person()).user_id}/force-logout` })),
  inTransaction('createRole', async () => {
    return { path: '/admin/roles', body: { code: uniqueName('own'), name: 'Some Role', permissions } };
  }),
  inTransaction('updateRole', async ({ db }) => {
    const { id } = await createRole(db, { permissions });
    return { path: `/admin/roles/${id}`, body: { name: 'Renamed' }, headers: ifMatch(1) };
  }),
  inTransaction('deleteRole', async ({ db }) => {
    const { id } = await createRole(db, { permissions });
    return { path: `/admin/roles/${id}`, headers: ifMatch(1) };
  }),
  inTransaction('updateRolePermissions', async ({ db }) => {
    const { id } = await createRole(db, { permissions });
    const body = { permissions: ['profile:read', 'user:read'], reason: 'more to do' };
    return { path: `/admin/roles/${id}/permissions`, body, headers: ifMatch(1) };
  }),
  inTransaction('assignUserRole', async ({ db }) => {
    const [user, role] = [await createUser(db), await createRole(db, { permissions })];
    return { path: `/admin/users/${user.id}/roles`, body: { role_id: role.id, reason: 'new task' } };
  }),
  inTransaction('revokeUserRole', grantOf),
  inTransaction('reviewUserRole', async (stage) => {
    const { path } = await grantOf(stage);
    const due = (days: number) => ({ review_due_at: fromNow(days * day) });
    return { path: `${path}/review`, body: due(10), other: { body: due(20) } };
  }),
  inTransaction('createAgentPermission', async ({ db }) => {
    const { id } = await createUser(db);
    const body = { agent_name: 'pdf_processing', can_read: true };
    return { path: `/api/v1/users/${id}/agent-permissions`, body, other: { body: { ...body, can_read: false } } };
  }),
  inTransaction('updateAgentPermission', async (stage) => {
    const { path, etag } = await moduleOf(stage);
    return { path, body: { can_create: true }, headers: { 'if-match': etag }, other: { body: { can_delete: true } } };
  }),
  inTransaction('extendAgentPermission', async (stage) => {
    const { path, etag } = await moduleOf(stage);
    const body = { expires_at: fromNow(9 * day) };
    return { path: `${path}/extend`, body, headers: { 'if-match': etag }, other: { body: { expires_at: null } } };
  }),
  inTransaction('deleteAgentPermission', async (stage) => {
    const { path } = await moduleOf(stage);
    return { path };
  }),
  inTransaction('updateTenant', async (stage) => {
    const { person } = await stage.tenant();
    return { person, path: '/admin/tenant', body: { name: 'Renamed' }, headers: ifMatch(1) };
  }),
  inTransaction('createTenant', async () => {
    const name = uniqueName('company');
    const super_admin = { full_name: 'First Admin', email: `boss@${name}.example`, password: testPassword() };
    return { path: '/tenants', body: { name, domain: `${name}.example`, super_admin } };
  }),
  // By another one than most requests of the table: one person has twenty open at most.
  byWorkflow('nameAdministrator', async ({ approver: person, db }) => {
    const { id } = await createTenant(db);
    const body = { email: `${uniqueName('named')}@people.test`, full_name: 'Eve Named', reason: 'their administrator is gone' };
    return { person, path: `/tenants/${id}/administrators`, body };
  }),
  inTransaction('takeBackAdministrator', async ({ db }) => {
    const { id: named_tenant_id } = await createTenant(db);
    const person = { email: `${uniqueName('named')}@people.test`, full_name: 'Eve Named', reason: 'a test' };
    const naming = { tenant_id: defaultTenantId, named_tenant_id, purpose: 'administrator_recovery', ...person } as const;
    const { id } = await insertRow(db, 'administrator_namings', naming);
    return { path: `/tenants/${named_tenant_id}/administrators/${id}/take-back`, body: { reason: 'a mistake' } };
  }),
  byWorkflow('suspendTenant', async ({ approver: person, db }) => {
    const { id } = await createTenant(db);
    return { person, path: `/tenants/${id}/suspend`, body: { reason: 'unpaid' }, headers: ifMatch(1) };
  }),
  byWorkflow('resumeTenant', async ({ approver: person, db }) => {
    const { id } = await createTenant(db, { status: 'suspended' });
    return { person, path: `/tenants/${id}/resume`, body: { reason: 'paid' }, headers: ifMatch(1) };
  }),
  inTransaction('createServiceToken', async () => {
    const body = { name: uniqueName('token'), environment: 'development', permissions: ['flag:evaluate'] };
    return { path: '/admin/service-tokens', body };
  }),
  inTransaction('revokeServiceToken', async ({ db }) => ({ path: `/admin/service-tokens/${(await createServiceToken(db)).id}` })),
  byWorkflow('erasePerson', (stage) => erasure(stage, defaultTenantId)),
  inTransaction('confirmUser', async (stage) => {
    const { confirmer, user_id, acts } = await unconfirmed(stage);
    return { person: confirmer, path: `/admin/users/${user_id}/confirm`, body: { how: 'in_person', acts } };
  }),
  inTransaction('confirmUsers', async (stage) => {
    const { confirmer, user_id, acts } = await unconfirmed(stage);
    return { person: confirmer, path: '/admin/users/confirm', body: { how: 'video', accounts: [{ user_id, acts }] } };
  }),
  noKey('requestAddressCode', 'a code that was sent is not sent again by a repetition; one asks for another'),
  noKey('confirmAddress', 'a code is used once'),
];
