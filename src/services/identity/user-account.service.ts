import { sql } from 'kysely';
import type { UserStatus } from '../../entities/identity/user.entity.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertChanges, assertVersion, nextVersion } from '../../platform/row-version.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { maskEmail } from '../../domain/identity/mfa.ts';
import { assertAddressUnused } from './user.repository.ts';
import { noPendingAddress } from './pending-address.service.ts';
import { recordAct } from './account-act/account-act.repository.ts';
import type { ActAuthority } from './account-act/account-act.repository.ts';
import { revokeAccountLinks } from './account-link/account-link.repository.ts';
import { assignRole } from './role/role-assignment.service.ts';
import type { RoleGrant } from './role/role-assignment.service.ts';
import { revokeSessions } from './sign-in/revoke-sessions.service.ts';
import { assertSuperAdminRemains, lockRights, assertNotSelf, assertNotStronger } from './role/effective-rights.service.ts';

/** What of an account and its portal profile can be changed; undefined stays as it is. */
interface AccountValues {
  readonly full_name?: string | undefined;
  readonly email?: string | null | undefined;
  readonly phone_number?: string | null | undefined;
  readonly time_zone?: string | null | undefined;
  readonly job_title?: string | null | undefined;
  readonly department?: string | null | undefined;
  readonly notes?: string | null | undefined;
}

/** A change of an account by an administrator. */
export type AccountChanges = AccountValues & { readonly status?: Exclude<UserStatus, 'deleted'> | undefined };

/** A new account; without a password its person signs in by an identity provider. */
type NewAccount = AccountValues & {
  readonly full_name: string;
  readonly password_hash: string | null;
  /** `inactive` until its person has used a link; active when left out. */
  readonly status?: 'inactive' | undefined;
};

/** Creates an account and assigns its roles. @returns its id. */
export async function createUserWithRoles(
  tx: Tx,
  account: NewAccount,
  roles: readonly RoleGrant[],
  authority: ActAuthority | null,
): Promise<string> {
  const userId = await createUser(tx, account, authority);
  for (const grant of roles) await assignRole(tx, userId, grant, authority);
  return userId;
}

/**
 * Creates an account without roles. The actor stands behind it from now on (R1).
 *
 * @param authority the approved request that it is made on, if any.
 * @returns its id.
 * @throws the database's unique violation when address or number belong to another account of the tenant (409).
 */
export async function createUser(tx: Tx, account: NewAccount, authority: ActAuthority | null = null): Promise<string> {
  const { job_title, department, notes, full_name, email = null, phone_number = null, time_zone = null, status = 'active' } = account;
  const { tenant_id } = tx.actor;
  const { password_hash, ...shown } = account;
  const { id } = await tx.sql
    .insertInto('users')
    .values({ tenant_id, full_name, email, phone_number, time_zone, password_hash, status })
    .returning('id')
    .executeTakeFirstOrThrow();
  await saveProfile(tx, id, { job_title, department, notes });
  recordAct(tx, { target_id: id, kind: 'create', detail: null }, authority);
  tx.audit({
    event: 'user.create',
    action: 'create',
    resource_type: 'user',
    resource_id: id,
    new_values: { ...shown, has_initial_password: password_hash !== null },
  });
  return id;
}

/**
 * Changes an account. A new status ends all sessions, so that none becomes valid again with the next one; so does a new
 * address or number of another person's, by which somebody else could sign in (R4). The actor stands behind the account then.
 *
 * @param authority the approved request that it is changed on, if any.
 * @returns whether a way in or the status was changed, which others are told of.
 * @throws Problem for an older version, a person with more rights, the own status, or the last super admin.
 */
export async function updateUser(
  tx: Tx,
  userId: string,
  version: number,
  changes: AccountChanges,
  authority: ActAuthority | null = null,
): Promise<{ is_guarded: boolean }> {
  const { before, changesStatus } = await assertUpdatable(tx, userId, version, changes);
  const { job_title, department, notes, ...values } = changes;
  const stored = tx.actor.user_id === userId ? values : withPendingAddress(before, values);
  await tx.sql
    .updateTable('users')
    .set({ ...stored, version: nextVersion(), updated_at: sql<string>`now()` })
    .where('id', '=', userId)
    .execute();
  await saveProfile(tx, userId, { job_title, department, notes });
  const changesWayIn = tx.actor.user_id !== userId && changesAddress(before, values);
  const ended =
    changesStatus || changesWayIn
      ? await revokeSessions(tx, { user_id: userId }, changesStatus ? 'deactivated' : 'forced')
      : [];
  if (changesWayIn) recordAct(tx, { target_id: userId, kind: 'address', detail: addressDetail(before, values) }, authority);
  if (changesStatus && values.status === 'active') recordAct(tx, { target_id: userId, kind: 'activate', detail: null }, authority);
  if (changesStatus) {
    // A link that was issued before must not activate the account again.
    await revokeAccountLinks(tx, { user_id: userId });
    await assertSuperAdminRemains(tx);
  }
  tx.audit({
    event: changesStatus ? `user.${values.status === 'active' ? 'activate' : 'deactivate'}` : 'user.update',
    action: 'update',
    resource_type: 'user',
    resource_id: userId,
    old_values: before,
    new_values: { ...changes, ...(changesStatus || changesWayIn ? { sessions_ended: ended.length } : {}) },
  });
  return { is_guarded: changesStatus || changesWayIn };
}

/**
 * Locks rights and the account, and checks that it could be changed.
 *
 * @throws Problem as {@link updateUser}.
 */
export async function assertUpdatable(tx: Tx, userId: string, version: number, changes: AccountChanges) {
  await lockRights(tx);
  const before = await lockUser(tx, userId, version);
  await assertNotStronger(tx, userId);
  // The address of before takes back the one that waits for its confirmation.
  const { pending_email, ...present } = before;
  if (changes.email === undefined || pending_email === null) assertChanges(present, changes, 'user');
  const changesStatus = changes.status !== undefined && changes.status !== before.status;
  if (changesStatus) assertNotSelf(tx, userId);
  assertReachable({ ...before, ...definedOf(changes) });
  await assertAddressUnused(tx, 'email', changes.email, userId);
  await assertAddressUnused(tx, 'phone_number', changes.phone_number, userId);
  return { before, changesStatus };
}

/** The parts of an account by which its person is reached and signs in. */
type Addresses = Pick<AccountValues, 'email' | 'phone_number'>;

/** True when a change gives an account another address or number. */
export function changesAddress(before: Addresses, { email, phone_number }: Addresses): boolean {
  return (
    (email !== undefined && email !== before.email) ||
    (phone_number !== undefined && phone_number !== before.phone_number)
  );
}

/**
 * A new e-mail address of somebody who has signed in before is pending until its owner has confirmed it: until then codes,
 * links and identity providers use the old one (R4). Of an account that nobody has used there is nothing to take over.
 */
function withPendingAddress<Values extends Addresses>(
  before: Addresses & { readonly last_sign_in_at: string | null },
  values: Values,
): Values | (Omit<Values, 'email'> & typeof noPendingAddress) | (Omit<Values, 'email'> & { pending_email: string | null }) {
  const { email, ...others } = values;
  if (email === undefined) return values;
  if (email === null || email === before.email || before.last_sign_in_at === null) return { ...values, ...noPendingAddress };
  return { ...others, ...noPendingAddress, pending_email: email };
}

/** Old and new address, masked: enough to recognise a change by. */
function addressDetail(before: Addresses, after: Addresses): string {
  const show = ({ email, phone_number }: Addresses) =>
    [...(email == null ? [] : [maskEmail(email)]), ...(phone_number == null ? [] : [`•••${phone_number.slice(-3)}`])].join(', ') || 'none';
  return `${show(before)} → ${show({ ...before, ...definedOf(after) })}`.slice(0, 300);
}

async function lockUser(tx: Tx, userId: string, version: number) {
  const user = await tx.sql
    .selectFrom('users as u')
    .leftJoin('admin_users as p', 'p.user_id', 'u.id')
    .where('u.id', '=', userId)
    .where('u.status', '<>', 'deleted')
    .select(['u.full_name', 'u.email', 'u.phone_number', 'u.time_zone', 'u.status', 'u.pending_email', 'u.last_sign_in_at', 'u.version'])
    .select(['p.job_title', 'p.department', 'p.notes'])
    .forNoKeyUpdate('u')
    .executeTakeFirst();
  if (user === undefined) throw notFound('user');
  return assertVersion(user, version);
}

function assertReachable({ email, phone_number }: Pick<AccountValues, 'email' | 'phone_number'>): void {
  if (email !== null || phone_number !== null) return;
  const errors = [{ pointer: '/email', detail: 'An account needs an e-mail address or a phone number.' }];
  throw new Problem({ code: 'request.invalid', detail: 'The account could not be reached.', errors });
}

async function saveProfile(
  tx: Tx,
  user_id: string,
  profile: Pick<AccountValues, 'job_title' | 'department' | 'notes'>,
): Promise<void> {
  const values = definedOf(profile);
  if (Object.keys(values).length === 0) return;
  await tx.sql
    .insertInto('admin_users')
    .values({ tenant_id: tx.actor.tenant_id, user_id, ...values })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id']).doUpdateSet({
        ...values,
        updated_at: sql<string>`now()`,
        version: nextVersion('admin_users'),
      }),
    )
    .execute();
}

/** Without the members that are undefined: in a spread they would overwrite. */
function definedOf<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Values>;
}
