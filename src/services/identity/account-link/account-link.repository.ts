import { randomBytes, randomUUID } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { sql } from 'kysely';
import { AccountLinkEntity } from '../../../entities/identity/account-link.entity.ts';
import type { AccountLinkPurpose } from '../../../entities/identity/account-link.entity.ts';
import { tokenHash } from '../../../platform/security/digest.ts';
import type { SecretPlace } from '../../../platform/security/keyring.ts';
import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';

/** 256 random bits. */
const tokenBytes = 32;

/** Any other text is no token. */
export const accountTokenPattern = /^[\w-]{43}$/;

/** The place that the sealed secret of an enrolment is bound to. */
export function linkSecretPlace(linkId: string): SecretPlace {
  return { table: 'account_links', column: 'totp_secret_ciphertext', row_id: linkId };
}

/** One answer for a token that is wrong, used, revoked or expired, so that none of them tells anything. */
export function accountLinkDead(): Problem {
  return new Problem({
    code: 'account.link-dead',
    detail: 'The link is wrong, was used or has expired. Ask whoever gave it to you for a new one.',
  });
}

/** What a new link is for, and until when it can be used. */
interface NewAccountLink {
  /** Random where it is left out. */
  readonly id?: string;
  readonly user_id: string;
  readonly purpose: AccountLinkPurpose;
  /** RFC 3339. */
  readonly expires_at: string;
}

/** A token that was never given out. */
export function newAccountToken(): string {
  return randomBytes(tokenBytes).toString('base64url');
}

/**
 * Issues a link in place of an earlier one of the same account.
 *
 * @returns its id, and the token, which is stored nowhere.
 */
export async function issueAccountLink(
  tx: Tx,
  { id = randomUUID(), user_id, purpose, expires_at }: NewAccountLink,
  token = newAccountToken(),
): Promise<{ link_id: string; token: string }> {
  await revokeAccountLinks(tx, { user_id });
  tx.em.create(AccountLinkEntity, { id, user_id, purpose, expires_at, token_hash: tokenHash(token) });
  await tx.flush();
  tx.audit({
    event: 'account-link.issue',
    action: 'create',
    resource_type: 'user',
    resource_id: user_id,
    new_values: { link_id: id, purpose, expires_at },
  });
  return { link_id: id, token };
}

/** Gives a link another token: the one before is void. A link that was used or revoked is left as it is. */
export async function renewAccountLink(tx: Tx, id: string, { expires_at }: Pick<NewAccountLink, 'expires_at'>, token: string): Promise<void> {
  const link = await tx.em.findOne(AccountLinkEntity, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (link === null || link.used_at !== null || link.revoked_at !== null) return;
  tx.em.assign(link, { token_hash: tokenHash(token), expires_at, opened_at: null, totp_secret_ciphertext: null });
  await tx.flush();
  tx.audit({
    event: 'account-link.issue',
    action: 'update',
    resource_type: 'user',
    resource_id: link.user_id,
    new_values: { link_id: id, purpose: link.purpose, expires_at },
  });
}

/** Ends open links: one, those of one account or of one purpose. @returns whose they were. */
export async function revokeAccountLinks(
  tx: Tx,
  which: { readonly id: string } | { readonly user_id: string } | { readonly purpose: AccountLinkPurpose },
): Promise<string[]> {
  const revoked = await tx.sql
    .updateTable('account_links')
    .set({ revoked_at: sql<string>`clock_timestamp()`, totp_secret_ciphertext: null })
    .where('used_at', 'is', null)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.and(which))
    .returning(['id', 'user_id'])
    .execute();
  for (const { id, user_id } of revoked) {
    tx.audit({
      event: 'account-link.revoke',
      action: 'update',
      resource_type: 'user',
      resource_id: user_id,
      old_values: { link_id: id },
    });
  }
  return revoked.map(({ user_id }) => user_id);
}

/**
 * Loads and locks a link that can still be used.
 *
 * @param now RFC 3339
 * @throws Problem `account.link-dead`.
 */
export async function lockAccountLink(tx: Tx, id: string, now: string) {
  const open = { id, used_at: null, revoked_at: null, expires_at: { $gt: now } };
  const link = await tx.em.findOne(AccountLinkEntity, open, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (link === null) throw accountLinkDead();
  return link;
}
