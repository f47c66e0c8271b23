import { actorOfRef } from '../../domain/shared/actor.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { AfterCommitDeps, CommittedChange } from '../actions/action.ts';
import { cancelRequestsOfDeactivated } from '../approval/deactivated-requester.service.ts';
import { reassignFromDeactivated, wakeQueuesOfUser } from '../assignment/index.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';

/** A person who can no longer sign in, by a change that is committed. */
interface Offboarding {
  /** In whose name it was changed. */
  readonly actor: ActorRef;
  readonly user_id: string;
  /** Who should get the person's contacts; null: the pools of their campaigns. */
  readonly transfer_to: string | null;
  /** Names the change. */
  readonly change_id: string;
}

/**
 * What follows every committed change by which an account is deactivated or deleted, whoever has made it: the pending
 * requests of its person are cancelled, connected applications are notified once, and its contacts are reassigned. All are
 * tried, even if one fails; repeated, it does only what is missing.
 */
export async function followDeactivation(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  { actor: ref, user_id, transfer_to, change_id }: Offboarding,
): Promise<void> {
  const actor = actorOfRef(ref);
  const ended = sessionsEndedNotification(user_id, 'deactivated', change_id);
  const outcomes = await Promise.allSettled([
    cancelRequestsOfDeactivated(deps, actor),
    createNotify(deps)(ref, ended, []),
    reassignFromDeactivated(deps, actor, { batch_id: change_id, from_user_id: user_id, to_user_id: transfer_to }),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** What follows a committed `user.update`: where it has deactivated or activated the account. */
export async function followStatusChange(
  deps: AfterCommitDeps,
  { actor, payload: { user_id, status }, change_id }: CommittedChange<{ readonly user_id: string; readonly status?: 'active' | 'inactive' | undefined }>,
): Promise<void> {
  if (status === 'inactive') await followDeactivation(deps, { actor, user_id, transfer_to: null, change_id });
  if (status === 'active') await wakeQueuesOfUser(deps, actorOfRef(actor), user_id);
}
