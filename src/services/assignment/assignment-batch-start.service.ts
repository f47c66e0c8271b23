import { randomUUID } from 'node:crypto';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { withAssignments } from './assignment-access.service.ts';
import { startAssignmentBatch } from './assignment-batch.client.ts';
import { cancelBatch, createBulkBatch, createReassignBatch } from './assignment-batch.service.ts';
import type { BulkRequest } from './assignment-batch.service.ts';
import { assertUserExists } from './reassign.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

/**
 * Stores a batch of contacts that the rule is to assign to the pool of a campaign, and starts its workflow.
 *
 * @returns the id of the batch.
 * @throws Problem 404 when there is no such campaign, `service.unavailable` when Temporal is unavailable.
 */
export async function startBulkAssignment(
  deps: Deps,
  actor: Actor,
  request: Omit<BulkRequest, 'batch_id'>,
): Promise<string> {
  const batch_id = randomUUID();
  const create = (tx: Tx) => createBulkBatch(tx, { batch_id, ...request });
  const total = await unitOfWork(deps.db, actor, withAssignments(create));
  await startOrCancel(deps, actor, { batch_id, kind: 'bulk', total });
  return batch_id;
}

/**
 * Stores a batch of all contacts of a user, and starts the workflow that reassigns them.
 *
 * @param toUserId who gets them; null: the pools of their campaigns.
 * @returns the id of the batch, or null when the user has no contacts.
 * @throws Problem 404 when there is no such user, 409 when the user who should get the contacts is not active,
 *   `service.unavailable` when Temporal is unavailable.
 */
export async function startReassignment(
  deps: Deps,
  actor: Actor,
  fromUserId: string,
  toUserId: string | null,
): Promise<string | null> {
  await assertUserExists(deps, actor, fromUserId);
  return reassignAll(deps, actor, fromUserId, toUserId);
}

async function reassignAll(
  deps: Deps,
  actor: Actor,
  fromUserId: string,
  toUserId: string | null,
): Promise<string | null> {
  const batch_id = randomUUID();
  const create = (tx: Tx) => createReassignBatch(tx, { batch_id, from_user_id: fromUserId, to_user_id: toUserId });
  const total = await unitOfWork(deps.db, actor, withAssignments(create));
  if (total === 0) return null;
  await startOrCancel(deps, actor, { batch_id, kind: 'hand_over', total });
  return batch_id;
}

/**
 * Starts the reassignment of the contacts of a user who was deactivated just now. A failure is only logged: the
 * deactivation is committed, and the sweep or another request reassigns the contacts later.
 */
export async function reassignFromDeactivated(
  deps: Deps,
  actor: Actor,
  userId: string,
  toUserId: string | null,
): Promise<void> {
  try {
    await reassignAll(deps, actor, userId, toUserId);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the contacts of a deactivated user could not be reassigned');
  }
}

interface StoredBatch {
  readonly batch_id: string;
  readonly kind: 'bulk' | 'hand_over';
  readonly total: number;
}

/**
 * Starts the workflow of a batch that was stored just now. When Temporal is unavailable the batch is cancelled, so that the
 * caller who repeats the refused request does not have its contacts in two batches.
 */
async function startOrCancel(deps: Deps, actor: Actor, { batch_id, kind, total }: StoredBatch): Promise<void> {
  try {
    await startAssignmentBatch(deps, { actor: actorRef(actor), batch_id, kind, total, settled: 0 });
  } catch (error) {
    await unitOfWork(deps.db, actor, withAssignments((tx) => cancelBatch(tx, batch_id)));
    throw error;
  }
}
