import { cancelRequestsOfDeactivated } from '../approval/deactivated-requester.service.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import type { CommittedChange } from '../actions/action.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** {@link followDeletion} for a committed `user.update` by which the account was deactivated. */
export async function followStatusChange(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  change: CommittedChange<{ readonly user_id: string; readonly status?: 'active' | 'inactive' | undefined }>,
): Promise<void> {
  if (change.payload.status === 'inactive') await followDeletion(deps, change);
}

/**
 * What follows a committed `user.delete`: the pending requests of its person are cancelled and connected applications are
 * notified once. Both are tried, even if one fails.
 */
export async function followDeletion(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor, payload, change_id }: Pick<CommittedChange<{ readonly user_id: string }>, 'actor' | 'payload' | 'change_id'>,
): Promise<void> {
  const ended = sessionsEndedNotification(payload.user_id, 'deactivated', change_id);
  const outcomes = await Promise.allSettled([
    cancelRequestsOfDeactivated(deps, actor),
    createNotify(deps)(actor, ended, []),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
