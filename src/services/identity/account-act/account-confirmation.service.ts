import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { putSafeguardNews } from '../../approval/safeguard-news.repository.ts';
import { assertDecisionsCount } from '../role/decider.queries.ts';
import { lockRights } from '../role/effective-rights.service.ts';
import { assertUserExists } from '../user.repository.ts';
import { independenceOf, openActIdsQuery } from './account-act.queries.ts';
import { closeActs } from './account-act.repository.ts';

/** What somebody has seen of an account, and how they know its person. */
export interface Confirmation {
  readonly user_id: string;
  /** The open acts that were shown: another one since then is not confirmed unseen. */
  readonly acts: readonly string[];
}

/** How the person was recognised. */
export interface ConfirmationNote {
  readonly how: 'in_person' | 'video' | 'phone' | 'document';
  readonly note: string | null;
}

/**
 * Confirms that an account is the person it says it is (R3): whoever has done something to it does not stand behind it any
 * more. Only somebody whom nobody ties to the account can say so. A new act opens it again.
 *
 * @param pointer where the body names the account; null: the address of the request does.
 * @throws Problem 404 or 422, `account.not-apart`, `account.nothing-to-confirm`, `account.acts-changed`, `tenant.naming-waits`.
 */
export async function confirmAccount(
  tx: Tx,
  { user_id, acts }: Confirmation,
  { how, note }: ConfirmationNote,
  pointer: string | null = null,
): Promise<void> {
  const confirmer = tx.actor.user_id;
  if (confirmer === null) throw new Problem({ code: 'auth.forbidden', detail: 'Only people confirm accounts.' });
  await lockRights(tx);
  await assertUserExists(tx, user_id, pointer);
  await assertDecisionsCount(tx);
  const independence = await independenceOf(tx, tx.actor, [confirmer, user_id]);
  if (!independence.isApartFromAll(confirmer, [user_id])) {
    throw new Problem({
      code: 'account.not-apart',
      detail: 'You stand behind this account, or somebody behind it stands behind yours; another decider has to confirm it.',
    });
  }
  const { rows } = await tx.sql.executeQuery(openActIdsQuery(user_id).compile());
  if (rows.length === 0) {
    throw new Problem({ code: 'account.nothing-to-confirm', detail: 'Nothing about this account waits for a confirmation.' });
  }
  const open = new Set(rows.map(({ id }) => id));
  if (open.size !== new Set(acts).size || acts.some((id) => !open.has(id))) {
    throw new Problem({
      code: 'account.acts-changed',
      detail: 'Something happened to the account since you read it; look again.',
      members: { acts: [...open] },
    });
  }
  const closed = await closeActs(tx, user_id, 'confirmed');
  putSafeguardNews(tx, 'account-confirmed', { user_id });
  tx.audit({
    event: 'user.confirm',
    action: 'permission_change',
    resource_type: 'user',
    resource_id: user_id,
    new_values: { how, note, acts: closed },
  });
}
