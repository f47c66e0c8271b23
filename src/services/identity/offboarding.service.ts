import { cancelRequestsOfLeavers } from '../approval/deactivated-requester.service.ts';
import type { Actor } from '../../domain/shared/actor.ts';
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
    await cancelRequestsOfLeavers(deps, actor);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the requests of a person who left could not be cancelled yet');
  }
  await notifySessionsEnded(deps, actor, userId, 'deactivated');
}
