import { cancelRequestsOfLeavers } from '../../actions/leaver-requests.ts';
import type { Actor } from '../../domain/actor.ts';
import type { ApiDeps } from '../deps.ts';

/**
 * Ends the waiting requests of a person whose account was closed just now (capability 39). A Temporal that is away is
 * logged and does not open the account again; the sweep of approvals makes up for it.
 */
export async function cancelApprovalsOf(
  deps: Pick<ApiDeps, 'db' | 'temporal' | 'log'>,
  actor: Actor,
  userId: string,
): Promise<void> {
  try {
    await cancelRequestsOfLeavers(deps, actor);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the requests of a person who left could not be cancelled yet');
  }
}
