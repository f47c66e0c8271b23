import { actorRef } from '../../domain/shared/actor.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { putWorkflowStart } from '../commands/workflow-start.repository.ts';
import { isDecider } from '../identity/role/decider.queries.ts';

/** What was done, as it is put after the name of whoever did it. What it concerns follows. */
export const safeguardDeeds = {
  'account-created': 'has made an account that may decide on approvals:',
  'account-changed': 'has changed address, number or status of',
  'account-linked': 'has let an external account sign in as',
  'account-unlinked': 'has unlinked an external account of',
  'account-deleted': 'has deleted the account of',
  'factor-recovery-asked': 'has asked, with the password alone, for the removal of the lost second factor of',
  'factor-removed': 'has had the lost second factor removed, with an approval, from the account of',
  'role-given': 'has given a role to',
  'role-taken': 'has taken a role from',
  'role-confirmed': 'has confirmed a role of',
  'account-confirmed': 'has confirmed who stands behind the account of',
  'administrator-named': 'has, from outside the tenant, named as administrator',
  'administrator-taken-back': 'has, from outside the tenant, taken back the naming of',
  'account-taken-back': 'has, from outside the tenant, taken back a naming and deactivated, because its person had made or changed it, the account of',
  'policy-changed': 'has changed the gate policy of',
  'emergency-change': 'has made an emergency change without the usual approvals:',
  'rollout-aborted': 'has aborted a rollout:',
  'rollout-paused': 'has paused a rollout:',
  'queue-paused': 'has paused the queue',
  'token-revoked': 'has revoked the service token',
} as const;

/** One of {@link safeguardDeeds}. */
export type SafeguardDeed = keyof typeof safeguardDeeds;

/** What people hear of their own account whether they decide or not. */
const toldToEverybody: readonly SafeguardDeed[] = ['account-changed', 'account-linked', 'account-unlinked'];

/**
 * Has everybody who decides told of what one person has done, once the transaction is committed (R8, R13). It cannot be
 * switched off, and is told within seconds of the return of whatever was away.
 *
 * @param about the person whom it concerns, who is told too, or the name of a thing.
 */
export function putSafeguardNews(
  tx: Tx,
  deed: SafeguardDeed,
  about: { readonly user_id: string } | { readonly subject: string },
): void {
  putWorkflowStart(tx, 'safeguard-news', { actor: { ...actorRef(tx.actor) }, deed, ...about }, 0);
}

/** Has a person told of what was done to their account, maybe by somebody else, at the address that counts (R4). */
export function putAccountNews(tx: Tx, deed: SafeguardDeed, userId: string): void {
  putWorkflowStart(tx, 'account-news', { actor: { ...actorRef(tx.actor) }, deed, user_id: userId }, 0);
}

/** {@link putSafeguardNews} of a person's account, if that account decides; others are told themselves. */
export async function putNewsOfAccount(tx: Tx, deed: SafeguardDeed, userId: string): Promise<void> {
  if (await isDecider(tx, tx.actor, userId)) putSafeguardNews(tx, deed, { user_id: userId });
  else if (toldToEverybody.includes(deed)) putAccountNews(tx, deed, userId);
}
