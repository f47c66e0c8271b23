import { sql } from 'kysely';
import { abandonPause, acceptResume, beginPause, confirmPause, endPause, isPauseInForce } from '../../services/queue/queue-pause.service.ts';
import { lockQueue, settleQueueEvent } from '../../services/queue/queue.repository.ts';
import { actorInWorkflow } from '../../domain/shared/actor.ts';
import type { ActorRef } from '../../domain/shared/actor.ts';
import { cleanableStates } from '../../domain/queue/queue.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { assertQueueCapability } from '../../platform/outbound/queue-provider.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { queueCleanWorkflowId } from '../../workflows/queue/queue-clean.contract.ts';
import type { QueueCleanActivities, QueueCleanInput } from '../../workflows/queue/queue-clean.contract.ts';
import { queuePauseWorkflowId } from '../../workflows/queue/queue-pause.contract.ts';
import type { QueuePauseActivities, QueuePauseRef } from '../../workflows/queue/queue-pause.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { findQueue } from '../../services/queue/queue.queries.ts';
import { createQueueRetryActivities } from './queue-retry.activities.ts';

type Deps = Pick<ActivityDeps, 'db' | 'queues'>;

/** Jobs that are taken away at once; what was taken is written down after each batch. */
const cleanBatch = 1_000;

/** The activities of the workflows of queues. */
export function createQueueActivities(deps: Deps) {
  return { ...pauseActivities(deps), ...cleanActivities(deps), ...createQueueRetryActivities(deps) };
}

function pauseActivities(deps: Deps): QueuePauseActivities {
  const inPause = <Result>(input: { actor: ActorRef; queue_id: string }, work: (tx: Tx) => Promise<Result>) => {
    const workflowId = queuePauseWorkflowId(input.actor.tenant_id, input.queue_id);
    return unitOfWork(deps.db, actorInWorkflow(input.actor, workflowId), work);
  };
  return {
    beginQueuePause: (input) =>
      asActivity(() =>
        inPause(input, async (tx) => {
          const { provider } = await lockQueue(tx, { id: input.queue_id });
          assertQueueCapability(deps.queues.of(provider), 'pause');
          await beginPause(tx, input, () => consumeMfaProof(tx, input.mfa_proof_id, tx.actor));
        }),
      ),
    applyQueuePause: (input) =>
      asActivity(async () => {
        const queue = await findQueue(deps, input);
        await deps.queues.of(queue.provider).pause(queue);
        await inPause(input, (tx) => confirmPause(tx, input));
      }),
    abandonQueuePause: (input) => asActivity(() => inPause(input, (tx) => abandonPause(tx, input))),
    acceptQueueResume: (input) =>
      asActivity(() =>
        inPause(input, (tx) => acceptResume(tx, input, () => consumeMfaProof(tx, input.mfa_proof_id, tx.actor))),
      ),
    endQueuePause: (input) => asActivity(() => resume(input)),
  };

  /** Engine first: a row that says "running" about a queue that stands still would be a lie. */
  async function resume(input: QueuePauseRef): Promise<void> {
    const queue = await findQueue(deps, input);
    if (!(await inPause(input, (tx) => isPauseInForce(tx, input)))) return;
    await deps.queues.of(queue.provider).resume(queue);
    await inPause(input, (tx) => endPause(tx, input));
  }
}

function cleanActivities(deps: Deps): QueueCleanActivities {
  const inClean = <Result>(input: QueueCleanInput, work: (tx: Tx) => Promise<Result>) =>
    unitOfWork(deps.db, actorInWorkflow(input.actor, queueCleanWorkflowId(input)), work);
  return {
    cleanQueueBatch: (input) => asActivity(() => cleanOnce(input)),
    failQueueClean: (input) =>
      asActivity(async () => {
        const details = { failure: 'The engine could not be reached, or the cleaning was cancelled.' };
        await inClean(input, (tx) => settleQueueEvent(tx, input.event_id, { state: 'failed', details }));
      }),
  };

  async function cleanOnce(input: QueueCleanInput): Promise<boolean> {
    const queue = await findQueue(deps, input);
    const event = await findClean(deps, input);
    if (event === null) return true;
    const rest = event.limit - event.removed;
    const limit = Math.min(cleanBatch, rest);
    const gone = await deps.queues.of(queue.provider).clean(queue, { ...event, limit });
    const isLast = gone < limit || gone === rest;
    const details = { removed: event.removed + gone };
    await inClean(input, (tx) => settleQueueEvent(tx, input.event_id, { state: isLast ? 'done' : 'running', details }));
    return isLast;
  }
}

/** What is still to be cleaned; null when that is done. The age counts from the decision, not from the attempt. */
async function findClean({ db }: Pick<Deps, 'db'>, { actor, event_id }: QueueCleanInput) {
  const [event] = await read(
    db,
    actor,
    query
      .selectFrom('admin_queue_events')
      .where('id', '=', event_id)
      .where('state', 'in', ['requested', 'running'])
      .select([
        'details',
        sql<number>`ceil(extract(epoch from now() - created_at) * 1000)::float8`.as('sinceMs'),
      ]),
  );
  if (event === undefined) return null;
  const { job_state, older_than_seconds, limit, removed } = event.details;
  const state = cleanableStates.find((one) => one === job_state);
  if (state === undefined) return null;
  return {
    state,
    olderThanMs: Number(older_than_seconds) * 1000 + event.sinceMs,
    limit: Number(limit),
    removed: Number(removed),
  };
}
