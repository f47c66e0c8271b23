import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import type { AccountLinkPurpose } from '../../../entities/identity/account-link.entity.ts';
import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { lockRights } from '../role/effective-rights.service.ts';
import { createUser } from '../user-account.service.ts';
import { issueAccountLink, revokeAccountLinks } from './account-link.repository.ts';
import { reachableAdministratorsQuery } from './administrator.queries.ts';

/** Somebody whom the operator or the platform's staff name. */
export interface NamedPerson {
  /** In lower case. */
  readonly email: string;
  /** Of a new account; that of an existing one stays. */
  readonly full_name: string;
}

/** A run of the command. */
interface NamingRun {
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly expires_minutes: number;
  /** Whether an identity provider of the tenant lets in whoever has the address of an account. */
  readonly links_by_address: boolean;
}

/** Somebody who was named, with the token of their link, which is stored nowhere. */
export interface NamedAdministrator {
  readonly user_id: string;
  readonly email: string;
  readonly is_new: boolean;
  readonly token: string;
  /** RFC 3339. */
  readonly expires_at: string;
}

/**
 * Names the first administrators of the actor's tenant: each gets an account that is inactive and without rights until its
 * link was used, and the link. Links of an earlier naming end, so that a lost link or a mistyped address is mended by
 * naming again, as long as nobody can sign in as administrator.
 *
 * @returns those named, and the addresses of people who were named before and are not any more.
 * @throws Problem `resource.conflict` when there is an administrator who can sign in, or another run was faster.
 */
export async function nameFirstAdministrators(
  tx: Tx,
  people: readonly NamedPerson[],
  run: NamingRun,
): Promise<{ named: NamedAdministrator[]; dropped: string[] }> {
  await lockRights(tx);
  const { rows } = await tx.sql.executeQuery(reachableAdministratorsQuery(run.links_by_address).compile());
  if (rows.length > 0) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'The tenant has an administrator who can sign in. To help somebody who cannot any more, use --recover.',
    });
  }
  await assertNoOtherRun(tx, { purpose: 'first_administrator' }, run);
  const before = await revokeAccountLinks(tx, { purpose: 'first_administrator' });
  const named: NamedAdministrator[] = [];
  for (const person of people) named.push(await namePerson(tx, person, 'first_administrator', run));
  const dropped = before.filter((id) => !named.some(({ user_id }) => user_id === id));
  return { named, dropped: await addressesOf(tx, dropped) };
}

async function addressesOf(tx: Tx, userIds: readonly string[]): Promise<string[]> {
  if (userIds.length === 0) return [];
  const users = await tx.sql.selectFrom('users').where('id', 'in', userIds).select(['id', 'email']).orderBy('email').execute();
  return users.map(({ id, email }) => email ?? id);
}

/**
 * Gives a person, who need not have an account yet, a link that makes them an administrator with a new password and a new
 * second factor. Nothing else changes before the link is used.
 *
 * @throws Problem `resource.conflict` when another run for the same person was faster.
 */
export async function nameForRecovery(tx: Tx, person: NamedPerson, run: NamingRun): Promise<NamedAdministrator> {
  await lockRights(tx);
  const user_id = await findByEmail(tx, person.email);
  if (user_id !== undefined) await assertNoOtherRun(tx, { user_id }, run);
  return namePerson(tx, person, 'administrator_recovery', run);
}

async function namePerson(
  tx: Tx,
  { email, full_name }: NamedPerson,
  purpose: AccountLinkPurpose,
  { now, expires_minutes }: NamingRun,
): Promise<NamedAdministrator> {
  const existing = await findByEmail(tx, email);
  const user_id = existing ?? (await createNamed(tx, { email, full_name }));
  const expires_at = timestampText(now + expires_minutes * 60_000);
  const { token } = await issueAccountLink(tx, { user_id, purpose, expires_at });
  return { user_id, email, is_new: existing === undefined, token, expires_at };
}

/** The account with an address, or a new one that lets nobody in until its link is used. @returns its id. */
export async function findOrCreateNamed(tx: Tx, person: NamedPerson): Promise<string> {
  await lockRights(tx);
  return (await findByEmail(tx, person.email)) ?? createNamed(tx, person);
}

function createNamed(tx: Tx, { email, full_name }: NamedPerson): Promise<string> {
  return createUser(tx, { full_name, email, password_hash: null, status: 'inactive' });
}

async function findByEmail(tx: Tx, email: string): Promise<string | undefined> {
  const user = await tx.sql
    .selectFrom('users')
    .where('email', '=', email)
    .where('status', '<>', 'deleted')
    .select('id')
    .executeTakeFirst();
  return user?.id;
}

/**
 * Of runs at one time, one wins: a link that was issued after this run had begun is another run's, and would be killed
 * before its operator has read it.
 */
async function assertNoOtherRun(
  tx: Tx,
  which: { readonly user_id: string } | { readonly purpose: AccountLinkPurpose },
  { started_at }: NamingRun,
): Promise<void> {
  const other = await tx.sql
    .selectFrom('account_links')
    .where('created_at', '>=', timestampText(started_at))
    .where((eb) => eb.and(which))
    .select('id')
    .limit(1)
    .executeTakeFirst();
  if (other === undefined) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: 'Another run has issued a link since this one began. Use that link, or run the command again.',
  });
}
