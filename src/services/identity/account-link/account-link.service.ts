import { sql } from 'kysely';
import type { Actor } from '../../../domain/shared/actor.ts';
import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { AccountLinkPurpose } from '../../../entities/identity/account-link.entity.ts';
import { read } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { nextVersion } from '../../../platform/row-version.ts';
import { tokenHash } from '../../../platform/security/digest.ts';
import { rateLimitHeaders } from '../../../platform/security/rate-limit.ts';
import { generateTotpSecret, matchTotpStep, totpKeyUri, totpStepsBack } from '../../../platform/security/totp.ts';
import { assertStrongPassword } from '../account-password.service.ts';
import { linkHolder } from '../link-holder.ts';
import { lockRights } from '../role/effective-rights.service.ts';
import { assignSuperAdmin } from '../role/role-assignment.service.ts';
import { putSafeguardNews } from '../../approval/safeguard-news.repository.ts';
import { closeActs } from '../account-act/account-act.repository.ts';
import { revokeSessions } from '../sign-in/revoke-sessions.service.ts';
import { codeRefused } from '../sign-in/second-factor.service.ts';
import { replaceTotp } from '../sign-in/totp-enrolment.service.ts';
import { accountLinkDead, accountTokenPattern, linkSecretPlace, lockAccountLink } from './account-link.repository.ts';
import { notifyLinkUsed } from './administrator-notification.service.ts';

type Deps = Pick<SignInDeps, 'db' | 'env' | 'keyring' | 'log' | 'now' | 'passwords' | 'rateLimits' | 'temporal'>;

/** A request by the holder of a link that can be used. */
interface LinkAccess {
  readonly link_id: string;
  /** Acts for the holder inside the tenant of the link; it is no user and has no permission. */
  readonly actor: Actor;
  /** Headers of the answer. */
  readonly headers: Record<string, string>;
}

/** What the holder of a link sees: whose account it is, and the secret for the authenticator app. */
interface OpenedLink {
  readonly purpose: AccountLinkPurpose;
  readonly email: string | null;
  readonly full_name: string;
  readonly tenant: { readonly name: string; readonly domain: string };
  readonly expires_at: string;
  readonly totp: { readonly secret: string; readonly otpauth_uri: string };
}

/** What the holder of a link sends at the end. */
interface LinkCompletion {
  readonly password: string;
  /** A code of the app that the opened link was entered in. */
  readonly code: string;
}

/** The account after its link was used. */
interface CompletedLink {
  readonly user_id: string;
  readonly email: string | null;
  readonly tenant_domain: string;
  readonly recovery_codes: string[];
}

/**
 * Finds the link of a token by its hash. Every attempt counts against the limit of the client's address.
 *
 * @throws Problem 429, or `account.link-dead`, the same for every token that cannot be used.
 */
export async function resolveAccountLink(deps: Deps, anonymous: Actor, token: string): Promise<LinkAccess> {
  const limit = await deps.rateLimits.publicToken.take(anonymous.ip ?? 'unknown');
  // The look-up is made for a malformed token too, so that the time is the same.
  const hash = tokenHash(accountTokenPattern.test(token) ? token : '');
  const statement = sql<{ tenant_id: string; link_id: string }>`select tenant_id, link_id from find_account_link(${hash})`;
  const [found] = await read(deps.db, anonymous, { compile: () => statement.compile(kysely) });
  if (found === undefined) throw accountLinkDead();
  return {
    link_id: found.link_id,
    actor: linkHolder(anonymous, found.tenant_id),
    headers: rateLimitHeaders(limit),
  };
}

/**
 * Opens a link: makes a new secret for an authenticator app in place of one that was shown before, so that whoever saw that
 * one has nothing. The link can be opened again until it was used.
 *
 * @throws Problem `account.link-dead` when it has ended meanwhile.
 */
export async function openAccountLink(deps: Deps, { actor, link_id }: LinkAccess): Promise<OpenedLink> {
  const secret = generateTotpSecret();
  const totp_secret_ciphertext = deps.keyring.seal(secret, linkSecretPlace(link_id));
  return unitOfWork(deps.db, actor, async (tx) => {
    const opened_at = timestampText(deps.now());
    const link = await lockAccountLink(tx, link_id, opened_at);
    const { user, tenant } = await loadHolder(tx, link.user_id);
    tx.em.assign(link, { totp_secret_ciphertext, opened_at });
    await tx.flush();
    tx.audit({
      event: 'account-link.open',
      action: 'update',
      resource_type: 'user',
      resource_id: link.user_id,
      new_values: { link_id },
    });
    const { email, full_name } = user;
    const totp = { secret, otpauth_uri: totpKeyUri(secret, email ?? link.user_id) };
    return { purpose: link.purpose, email, full_name, tenant, expires_at: link.expires_at, totp };
  });
}

/**
 * Uses a link, once: the account is active with the chosen password and the new factor alone, its person super admin; its
 * sessions and whatever factors it had have ended. All administrators and the person are notified.
 *
 * @throws Problem 422 for a weak password, `mfa.not-enrolled` before the link was opened, `mfa.code-refused`,
 *   `account.link-dead` when another request was faster.
 */
export async function completeAccountLink(
  deps: Deps,
  { actor, link_id }: LinkAccess,
  { password, code }: LinkCompletion,
): Promise<CompletedLink> {
  const [holder] = await read(
    deps.db,
    actor,
    kysely
      .selectFrom('account_links as l')
      .innerJoin('users as u', 'u.id', 'l.user_id')
      .where('l.id', '=', link_id)
      .select(['l.totp_secret_ciphertext', 'l.used_at', 'l.revoked_at', 'u.email', 'u.phone_number', 'u.full_name']),
  );
  // Used by another request since its token was resolved.
  if (holder === undefined || holder.used_at !== null || holder.revoked_at !== null) throw accountLinkDead();
  assertStrongPassword(password, holder, '/password');
  const sealed = holder.totp_secret_ciphertext;
  if (sealed === null) throw new Problem({ code: 'mfa.not-enrolled', detail: 'Open the link first: its answer has the secret.' });
  const secret = deps.keyring.open(sealed, linkSecretPlace(link_id));
  const step = matchTotpStep({ secret, code, nowMs: deps.now(), stepsBack: totpStepsBack.signIn });
  if (step === null) throw codeRefused('wrong');
  // Before the transaction, which must stay short; after the cheap checks, because a hash is dear.
  const password_hash = await deps.passwords.hash(password);
  const used = await unitOfWork(deps.db, actor, async (tx) => {
    await lockRights(tx);
    const used_at = timestampText(deps.now());
    const link = await lockAccountLink(tx, link_id, used_at);
    // Opened again meanwhile: the code belongs to a secret that is not the account's.
    if (link.totp_secret_ciphertext !== sealed) throw codeRefused('wrong');
    const { user, tenant } = await loadHolder(tx, link.user_id);
    tx.em.assign(link, { totp_secret_ciphertext: null, used_at });
    await tx.flush();
    const facts = await takeOver(tx, link.user_id, link.purpose, password_hash);
    const recovery_codes = await replaceTotp(tx, deps, { tenant_id: actor.tenant_id, user_id: link.user_id }, { secret, step });
    tx.audit({
      event: 'account-link.use',
      action: 'update',
      resource_type: 'user',
      resource_id: link.user_id,
      old_values: { status: user.status },
      new_values: { link_id, purpose: link.purpose, status: 'active', ...facts },
    });
    return { user_id: link.user_id, purpose: link.purpose, email: user.email, tenant_domain: tenant.domain, recovery_codes };
  });
  await notifyLinkUsed(deps, actor, used);
  return used;
}

/** The account of a link and its tenant. @throws Problem `account.link-dead` when the account was deleted meanwhile. */
async function loadHolder(tx: Tx, userId: string) {
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '<>', 'deleted')
    .select(['email', 'full_name', 'status'])
    .executeTakeFirst();
  if (user === undefined) throw accountLinkDead();
  const tenant = await tx.sql
    .selectFrom('tenants')
    .where('id', '=', tx.actor.tenant_id)
    .select(['name', 'domain'])
    .executeTakeFirstOrThrow();
  return { user, tenant };
}

/** For so long the others of the tenant can object to whom the operator has named, before that person's decisions count. */
const namingWaitHours = 72;

/** Makes the account its holder's, as super admin. @returns what else has changed by it, for the audit. */
async function takeOver(tx: Tx, userId: string, purpose: AccountLinkPurpose, password_hash: string) {
  await tx.sql
    .updateTable('users')
    .set({
      status: 'active',
      password_hash,
      password_changed_at: sql<string>`now()`,
      sign_in_requires_totp: true,
      decisions_count_from:
        purpose === 'first_administrator' ? null : sql<string>`clock_timestamp() + make_interval(hours => ${namingWaitHours})`,
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('id', '=', userId)
    .execute();
  const made_super_admin = await assignSuperAdmin(tx, userId, `One-time link (${purpose})`);
  // Help from outside names a person: what others had done to the account is over (R12).
  const acts_closed = await closeActs(tx, userId, 'named');
  putSafeguardNews(tx, 'administrator-named', { user_id: userId });
  const ended = await revokeSessions(tx, { user_id: userId }, 'password_changed');
  return { made_super_admin, sessions_ended: ended.length, acts_closed: acts_closed.length };
}
