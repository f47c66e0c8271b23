import { randomUUID } from 'node:crypto';
import { createNotify } from '../notification/notification-delivery.client.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { FactorOwner } from './sign-in/second-factor.service.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

const headlines = {
  'totp-enabled': 'An authenticator app was set up for your account',
  'totp-disabled': 'The authenticator app of your account was switched off',
  'recovery-codes-renewed': 'Your account was given new recovery codes; the old ones are void',
  'sign-in-factor-required': 'Signing in to your account now asks for a code of the authenticator app',
  'sign-in-factor-dropped': 'Signing in to your account no longer asks for a code of the authenticator app',
  'password-changed': 'The password of your account was changed and your other sessions were ended',
} as const;

/** A change of how an account is signed in to. */
export type AccountChange = keyof typeof headlines;

/**
 * Notifies the owner by e-mail of a change of how the account is signed in to, so that one that somebody else made does not
 * go unnoticed (ASVS 6.3.7). The notification cannot be switched off and holds no secret.
 */
export async function notifyOwner(deps: Deps, owner: FactorOwner, change: AccountChange): Promise<void> {
  const { user_id, ip } = owner;
  const from = ip === null ? '' : ` The request came from ${ip}.`;
  await notify(deps, owner, [user_id], {
    event: 'account.security',
    event_key: `account/${user_id}/${change}/${randomUUID()}`,
    subject: headlines[change],
    text:
      `${headlines[change]}.${from}\n\nIf this was not you, ask an administrator to end your sessions and to reset your ` +
      'account.',
    data: { user_id, change },
  });
}

/**
 * Notifies connected applications that all sessions of a person have ended, so that they end theirs: a `session.revoked` to
 * every channel that takes it, whether or not a token was still valid.
 */
export async function notifySessionsEnded(
  deps: Deps,
  actor: Actor,
  userId: string,
  reason: 'forced' | 'deactivated',
): Promise<void> {
  await notify(deps, actor, [], sessionsEndedNotification(userId, reason, randomUUID()));
}

/** The change is committed, so a notification that cannot be started is logged and nothing else. */
async function notify(deps: Deps, actor: Actor, userIds: readonly string[], notification: Notification): Promise<void> {
  try {
    await createNotify(deps)(actorRef(actor), notification, userIds);
  } catch (error) {
    deps.log.error({ err: error, event: notification.event }, 'an account notification could not be sent');
  }
}
