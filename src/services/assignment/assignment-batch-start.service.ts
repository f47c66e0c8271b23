import { randomUUID } from 'node:crypto';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { followAssignmentBatch } from '../commands/workflow-start.service.ts';
import { openAssignments } from './assignment-access.service.ts';
import { createBulkBatch, createReassignBatch } from './assignment-batch.service.ts';
import type { BulkRequest } from './assignment-batch.service.ts';
import { assertUserExists } from './reassign.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

/**
 * Stores a batch of contacts that the rule is to assign to the pool of a campaign; its workflow is started after the commit.
 *
 * @returns the id of the batch.
 * @throws Problem 404 when there is no such campaign.
 */
export async function startBulkAssignment(
  deps: Deps,
  tx: Tx,
  request: Omit<BulkRequest, 'batch_id'>,
): Promise<string> {
  const batch_id = randomUUID();
  await openAssignments(tx);
  const total = await createBulkBatch(tx, { batch_id, ...request });
  followAssignmentBatch(deps, tx, { actor: actorRef(tx.actor), batch_id, kind: 'bulk', total, settled: 0 });
  return batch_id;
}

/**
 * Stores a batch of all contacts of a user; the workflow that reassigns them is started after the commit.
 *
 * @param toUserId who gets them; null: the pools of their campaigns.
 * @returns the id of the batch, or null when the user has no contacts.
 * @throws Problem 404 when there is no such user, 409 when the user who should get the contacts is not active.
 */
export async function startReassignment(
  deps: Deps,
  tx: Tx,
  { from_user_id, to_user_id }: { readonly from_user_id: string; readonly to_user_id: string | null },
): Promise<string | null> {
  await assertUserExists({ db: tx }, tx.actor, from_user_id);
  const batch_id = randomUUID();
  await openAssignments(tx);
  const total = await createReassignBatch(tx, { batch_id, from_user_id, to_user_id });
  if (total === 0) return null;
  followAssignmentBatch(deps, tx, { actor: actorRef(tx.actor), batch_id, kind: 'hand_over', total, settled: 0 });
  return batch_id;
}
