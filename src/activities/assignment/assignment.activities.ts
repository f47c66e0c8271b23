import { sql } from 'kysely';
import { openAssignments } from '../../services/assignment/assignment-access.service.ts';
import { cancelBatch, runBatchChunk } from '../../services/assignment/assignment-batch.service.ts';
import { drainQueue } from '../../services/assignment/auto-assign.service.ts';
import { actorInWorkflow, systemActor } from '../../domain/shared/actor.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { Problem } from '../../platform/problem.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignmentBatchWorkflowId } from '../../workflows/assignment/assignment-batch.contract.ts';
import type { AssignmentBatchActivities, BatchChunk, BatchRef } from '../../workflows/assignment/assignment-batch.contract.ts';
import {
  assignmentDrainStartOptions,
  assignmentDrainWorkflowId,
  assignmentDrainWorkflowType,
  defaultRecheckMs,
  wakeSignal,
} from '../../workflows/assignment/assignment-drain.contract.ts';
import type {
  AssignmentDrainActivities,
  AssignmentDrainInput,
  DrainResult,
} from '../../workflows/assignment/assignment-drain.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/** The activities of `assignmentBatchWorkflow` and `assignmentDrainWorkflow`. */
export function createAssignmentActivities(deps: Deps): AssignmentBatchActivities & AssignmentDrainActivities {
  return {
    runAssignmentBatchChunk: (input) => asActivity(() => inBatch(deps, input, (tx) => runChunk(tx, input.batch_id))),
    cancelAssignmentBatch: (input) => asActivity(() => inBatch(deps, input, (tx) => cancelBatch(tx, input.batch_id))),
    drainAssignmentQueue: (input) => asActivity(() => drain(deps, input)),
    wakeAssignmentQueues: ({ actor, campaign_ids }) =>
      asActivity(async () => {
        for (const campaign_id of campaign_ids) await wakeAssignmentQueue(deps.temporal, actor.tenant_id, campaign_id);
      }),
  };
}

function inBatch<Result>(deps: Deps, { actor, batch_id }: BatchRef, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  const acting = actorInWorkflow(actor, assignmentBatchWorkflowId(actor.tenant_id, batch_id));
  return unitOfWork(deps.db, acting, async (tx) => {
    await openAssignments(tx);
    return work(tx);
  });
}

async function runChunk(tx: Tx, batchId: string): Promise<BatchChunk> {
  const { settled, is_finished, queued_campaign_id } = await runBatchChunk(tx, batchId);
  return { settled, is_finished, queued_campaign_ids: queued_campaign_id === null ? [] : [queued_campaign_id] };
}

async function drain(deps: Deps, { tenant_id, campaign_id }: AssignmentDrainInput): Promise<DrainResult> {
  const actor = systemActor(tenant_id, { workflow_id: assignmentDrainWorkflowId(tenant_id, campaign_id) });
  try {
    return await unitOfWork(deps.db, actor, async (tx) => {
      await openAssignments(tx);
      const { assigned, left } = await drainQueue(tx, campaign_id);
      return { assigned, has_more: left > 0, ...(await outlook(tx, campaign_id)) };
    });
  } catch (error) {
    // A campaign that is gone has no queue any more.
    if (error instanceof Problem && error.code === 'resource.not-found') {
      return { assigned: 0, has_more: false, waiting: 0, next_return_at: null };
    }
    throw error;
  }
}

async function outlook(tx: Tx, campaignId: string): Promise<{ waiting: number; next_return_at: string | null }> {
  const { waiting } = await tx.sql
    .selectFrom('assignment_queue')
    .where('campaign_id', '=', campaignId)
    .where('left_at', 'is', null)
    .select(sql<number>`count(*)`.as('waiting'))
    .executeTakeFirstOrThrow();
  const { next_return_at } = await tx.sql
    .selectFrom('user_campaign_assignment')
    .where('campaign_id', '=', campaignId)
    .where('is_active', '=', true)
    .where('paused_until', '>', sql<string>`now()`)
    .select(sql<string | null>`min(paused_until)`.as('next_return_at'))
    .executeTakeFirstOrThrow();
  return { waiting, next_return_at };
}

/** Starts or wakes the workflow of a campaign's queue. */
export async function wakeAssignmentQueue(
  temporal: Pick<TemporalClient, 'call' | 'taskQueue'>,
  tenant_id: string,
  campaign_id: string,
): Promise<void> {
  const input = { tenant_id, campaign_id, recheck_ms: defaultRecheckMs };
  await temporal.call((client) =>
    client.workflow.signalWithStart(assignmentDrainWorkflowType, {
      ...assignmentDrainStartOptions(input),
      taskQueue: temporal.taskQueue,
      signal: wakeSignal,
    }),
  );
}
