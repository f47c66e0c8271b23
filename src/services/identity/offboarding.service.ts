import { cancelRequestsOfDeactivated } from '../approval/deactivated-requester.service.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import type { CommittedChange } from '../actions/action.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import { notifySessionsEnded } from './account-notification.service.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/**
 * What follows when an account was closed: the waiting requests of its person end and connected applications are told.
 * A Temporal that is away is logged and does not open the account again; the sweep of approvals makes up for what was
 * not cancelled.
 */
export async function followClosedAccount(
  deps: Pick<ProcessDeps, 'db' | 'temporal' | 'log'>,
  actor: Actor,
  userId: string,
): Promise<void> {
  try {
    await cancelRequestsOfDeactivated(deps, actor);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the requests of a person who left could not be cancelled yet');
  }
  await notifySessionsEnded(deps, actor, userId, 'deactivated');
}

/**
 * What follows a committed `user.delete`: the waiting requests of its person end and connected applications are notified
 * once. Both are tried, whichever fails.
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
