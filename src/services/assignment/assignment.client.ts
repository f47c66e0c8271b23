import { randomUUID } from 'node:crypto';
import type { CompiledQuery } from 'kysely';
import { openAssignments, openAssignmentsQuery } from './assignment-access.service.ts';
import { cancelBatch, createHandOverBatch } from './assignment-batch.service.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignmentBatchStartOptions, assignmentBatchWorkflowType } from '../../workflows/assignment/assignment-batch.contract.ts';
import {
  assignmentDrainStartOptions,
  assignmentDrainWorkflowType,
  defaultRecheckMs,
  wakeSignal,
} from '../../workflows/assignment/assignment-drain.contract.ts';
import type { CommittedChange } from '../actions/action.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal' | 'log'>;

/** Reads with the assignments of the whole tenant in view; for callers whose permission was checked (S3-38). */
export async function readAssignments<Row>(
  deps: Pick<ProcessDeps, 'db'>,
  actor: Actor,
  statement: { compile(): CompiledQuery<Row> },
): Promise<Row[]> {
  const [, rows] = await readAll(deps.db, actor, [openAssignmentsQuery, statement] as const);
  return rows;
}

/** The work of a unit of work with the assignments of the whole tenant open. */
export function withAssignments<Result>(work: (tx: Tx) => Promise<Result>): (tx: Tx) => Promise<Result> {
  return async (tx) => {
    await openAssignments(tx);
    return work(tx);
  };
}

/** A batch that its workflow is to work through. */
export interface StartedBatch {
  readonly batch_id: string;
  readonly kind: 'bulk' | 'hand_over';
  readonly total: number;
}

/**
 * Starts the workflow of a batch that was written down just now. Where Temporal is away the batch is cancelled again, so
 * that a repetition of the request does not find half of it.
 *
 * @throws Problem `service.unavailable`; nothing was dealt then.
 */
export async function startBatch(deps: Deps, actor: Actor, { batch_id, kind, total }: StartedBatch): Promise<void> {
  const input = { actor: actorRef(actor), batch_id, kind, total, settled: 0, queued_campaign_ids: [] };
  try {
    await deps.temporal.call((client) =>
      client.workflow.start(assignmentBatchWorkflowType, {
        ...assignmentBatchStartOptions(input),
        taskQueue: deps.temporal.taskQueue,
      }),
    );
  } catch (error) {
    await unitOfWork(deps.db, actor, withAssignments((tx) => cancelBatch(tx, batch_id)));
    throw error;
  }
}

/**
 * Tells the queues of campaigns that a place may be free, or that somebody waits. A Temporal that is away is logged: what
 * waits is served with the next deal in any case.
 */
export async function wakeQueues(
  deps: Pick<Deps, 'temporal' | 'log'>,
  actor: Pick<Actor, 'tenant_id'>,
  campaignIds: readonly (string | null)[],
): Promise<void> {
  for (const campaign_id of new Set(campaignIds)) {
    if (campaign_id === null) continue;
    const input = { tenant_id: actor.tenant_id, campaign_id, recheck_ms: defaultRecheckMs };
    try {
      await deps.temporal.call((client) =>
        client.workflow.signalWithStart(assignmentDrainWorkflowType, {
          ...assignmentDrainStartOptions(input),
          taskQueue: deps.temporal.taskQueue,
          signal: wakeSignal,
        }),
      );
    } catch (error) {
      deps.log.warn({ err: error, campaign_id }, 'a queue of contacts could not be woken');
    }
  }
}

/** A committed change has freed a place in a campaign, or took somebody from its queue: it names which. */
export async function wakeQueueOfChange(
  deps: Pick<Deps, 'temporal' | 'log'>,
  { actor, result: { campaign_id } }: CommittedChange,
): Promise<void> {
  if (typeof campaign_id === 'string') await wakeQueues(deps, actor, [campaign_id]);
}

/**
 * Starts the hand-over of everything that a person looks after.
 *
 * @param toUserId who gets it; null: the pools of the campaigns.
 * @returns the batch, or null when there is nothing to hand over.
 */
export async function startHandOver(
  deps: Deps,
  actor: Actor,
  fromUserId: string,
  toUserId: string | null,
): Promise<string | null> {
  const batch_id = randomUUID();
  const total = await unitOfWork(
    deps.db,
    actor,
    withAssignments((tx) => createHandOverBatch(tx, { batch_id, from_user_id: fromUserId, to_user_id: toUserId })),
  );
  if (total === 0) return null;
  await startBatch(deps, actor, { batch_id, kind: 'hand_over', total });
  return batch_id;
}

/**
 * {@link startHandOver} for an account that was closed just now. It is closed whatever happens here; what could not be
 * started can be asked for again.
 */
export async function handOverOfClosed(
  deps: Deps,
  actor: Actor,
  userId: string,
  toUserId: string | null,
): Promise<void> {
  try {
    await startHandOver(deps, actor, userId, toUserId);
  } catch (error) {
    deps.log.warn({ err: error, user_id: userId }, 'the contacts of a person who left could not be handed over');
  }
}

/** Somebody came back: the queues of this person's campaigns may move on. */
export async function wakeQueuesOf(deps: Deps, actor: Actor, userId: string): Promise<void> {
  const rows = await readAssignments(
    deps,
    actor,
    query
      .selectFrom('user_campaign_assignment')
      .where('user_id', '=', userId)
      .where('is_active', '=', true)
      .select('campaign_id'),
  );
  await wakeQueues(deps, actor, rows.map(({ campaign_id }) => campaign_id));
}
