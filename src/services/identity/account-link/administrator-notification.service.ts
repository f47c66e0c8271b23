import { randomUUID } from 'node:crypto';
import { actorRef } from '../../../domain/shared/actor.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import { maskEmail } from '../../../domain/identity/mfa.ts';
import type { AccountLinkPurpose } from '../../../entities/identity/account-link.entity.ts';
import { read } from '../../../platform/database/read.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { createNotify } from '../../notification/notification-delivery.client.ts';
import { administratorsQuery } from './administrator.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'temporal'>;

/** The account that a link is for. */
interface LinkedAccount {
  readonly user_id: string;
  readonly email: string | null;
}

const issuers = { operator: 'The operator', staff: 'The platform’s staff' } as const;

/**
 * Notifies all administrators of the tenant, and the person as far as the account is active, that a recovery link was issued. It
 * cannot be switched off and holds no secret.
 *
 * @param occurrence names it, so that it is told once.
 * @throws Problem `service.unavailable` while Temporal cannot be reached: the link must not be given then.
 */
export async function notifyRecoveryIssued(
  deps: Deps,
  actor: Actor,
  account: LinkedAccount & { readonly expires_at: string },
  issuer: keyof typeof issuers,
  occurrence: string = randomUUID(),
): Promise<void> {
  const headline = `${issuers[issuer]} has issued a link to recover an administrator account`;
  const change = { name: 'recovery-link-issued', occurrence };
  await notifyAdministrators(deps, actor, account, change, headline, [
    `Until ${account.expires_at}, its holder can make the account of ${namesOf(deps, account)} an administrator's with a new`,
    'password and a new second factor.',
  ]);
}

/**
 * Notifies them, and the person, that a link was used. The change is committed, so a notification that cannot be started is
 * logged and nothing else.
 */
export async function notifyLinkUsed(
  deps: Deps & Pick<ProcessDeps, 'log'>,
  actor: Actor,
  account: LinkedAccount & { readonly purpose: AccountLinkPurpose },
): Promise<void> {
  const headline =
    account.purpose === 'first_administrator'
      ? 'A link was used to become administrator'
      : 'A link was used to recover an administrator account';
  try {
    const change = { name: `${account.purpose}-link-used`, occurrence: randomUUID() };
    await notifyAdministrators(deps, actor, account, change, headline, [
      `The account of ${namesOf(deps, account)} is an administrator's. It has a new password and a new second factor; whatever`,
      'it had before, its sessions included, has ended.',
    ]);
  } catch (error) {
    deps.log.error({ err: error, user_id: account.user_id }, 'the administrators could not be notified of a used link');
  }
}

async function notifyAdministrators(
  deps: Deps,
  actor: Actor,
  { user_id }: LinkedAccount,
  change: { readonly name: string; readonly occurrence: string },
  headline: string,
  lines: readonly string[],
): Promise<void> {
  const administrators = await read(deps.db, actor, administratorsQuery());
  const recipients = new Set([user_id, ...administrators.map(({ id }) => id)]);
  const notification = {
    event: 'account.security',
    event_key: `account/${user_id}/${change.name}/${change.occurrence}`,
    subject: headline,
    text: `${headline}.\n\n${lines.join(' ')}\n\nIf you do not know why, ask whoever runs this installation at once.`,
    data: { user_id, change: change.name },
  } as const;
  await createNotify(deps)(actorRef(actor), notification, [...recipients]);
}

/** Enough to recognise the person by, and nothing personal: any channel of the tenant may carry it. */
function namesOf({ env }: Deps, { user_id, email }: LinkedAccount): string {
  const address = new URL(`/admin/users/${user_id}`, env.PUBLIC_URL).href;
  return email === null ? address : `${maskEmail(email)} (${address})`;
}
