import { cancelRequestsOfDeactivated } from '../approval/deactivated-requester.service.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import type { CommittedChange } from '../actions/action.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import { notifySessionsEnded } from './account-notification.service.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/**
 * What follows the deactivation of an account: the pending requests of its person are cancelled and connected applications
 * are notified. While Temporal cannot be reached this is logged and the account stays deactivated; the sweep of approvals
 * cancels what is left.
 */
export async function followDeactivation(
  deps: Pick<ProcessDeps, 'db' | 'temporal' | 'log'>,
  actor: Actor,
  userId: string,
): Promise<void> {
  try {
    await cancelRequestsOfDeactivated(deps, actor);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the approval requests of a deactivated user could not be cancelled yet');
  }
  await notifySessionsEnded(deps, actor, userId, 'deactivated');
}

/**
 * What follows a committed `user.delete`: the pending requests of its person are cancelled and connected applications are
 * notified once. Both are tried, even if one fails.
 */
export async function followDeletion(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, payload, change_id }: CommittedChange<{ readonly user_id: string }>,
): Promise<void> {
  const ended = sessionsEndedNotification(payload.user_id, 'deactivated', change_id);
  const outcomes = await Promise.allSettled([
    cancelRequestsOfDeactivated(deps, actor),
    createNotify(deps)(actor, ended, []),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
