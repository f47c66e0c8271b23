import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { QueueCleanInput } from '../../workflows/queue/queue-clean.contract.ts';
import { findOpenCleaning, findQueue } from './queue.queries.ts';
import { settleQueueEvent } from './queue.repository.ts';

type Deps = Pick<ProcessDeps, 'db' | 'queues'>;

/** Jobs that one batch removes; the count is recorded after each batch. */
const cleanBatch = 1_000;

/**
 * Removes one batch of jobs from a queue and records how many.
 *
 * @returns whether it was the last batch.
 */
export async function cleanBatchOfJobs(deps: Deps, actor: Actor, input: QueueCleanInput): Promise<boolean> {
  const queue = await findQueue(deps, input);
  const cleaning = await findOpenCleaning(deps.db, input.actor, input.event_id);
  if (cleaning === null) return true;
  const rest = cleaning.limit - cleaning.removed;
  const limit = Math.min(cleanBatch, rest);
  const gone = await deps.queues.of(queue.provider).clean(queue, { ...cleaning, limit });
  const isLast = gone < limit || gone === rest;
  const details = { removed: cleaning.removed + gone };
  await unitOfWork(deps.db, actor, (tx) =>
    settleQueueEvent(tx, input.event_id, { state: isLast ? 'done' : 'running', details }),
  );
  return isLast;
}

/** Records that a cleaning was given up. */
export async function failCleaning(deps: Pick<Deps, 'db'>, actor: Actor, { event_id }: QueueCleanInput): Promise<void> {
  const details = { failure: 'The engine could not be reached, or the cleaning was cancelled.' };
  await unitOfWork(deps.db, actor, (tx) => settleQueueEvent(tx, event_id, { state: 'failed', details }));
}
