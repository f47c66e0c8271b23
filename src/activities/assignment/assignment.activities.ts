import { actorOfRef, systemActor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { withAssignments } from '../../services/assignment/assignment-access.service.ts';
import { cancelBatch, runBatchChunk } from '../../services/assignment/assignment-batch.service.ts';
import { sendQueueWake } from '../../services/assignment/assignment-drain.client.ts';
import { serveQueue } from '../../services/assignment/auto-assign.service.ts';
import { assignmentBatchWorkflowId } from '../../workflows/assignment/assignment-batch.contract.ts';
import type { AssignmentBatchActivities, BatchChunk, BatchRef } from '../../workflows/assignment/assignment-batch.contract.ts';
import { assignmentDrainWorkflowId } from '../../workflows/assignment/assignment-drain.contract.ts';
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
    cancelAssignmentBatch: (input) =>
      asActivity(async () => {
        await inBatch(deps, input, (tx) => cancelBatch(tx, input.batch_id));
      }),
    drainAssignmentQueue: (input) => asActivity(() => drain(deps, input)),
    wakeAssignmentQueues: ({ actor, campaign_ids }) =>
      asActivity(async () => {
        for (const campaign_id of campaign_ids) await sendQueueWake(deps, actor.tenant_id, campaign_id);
      }),
  };
}

function inBatch<Result>({ db }: Deps, { actor, batch_id }: BatchRef, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  const acting = actorOfRef(actor, assignmentBatchWorkflowId(actor.tenant_id, batch_id));
  return unitOfWork(db, acting, withAssignments(work));
}

async function runChunk(tx: Tx, batchId: string): Promise<BatchChunk> {
  const { settled, is_finished, queued_campaign_id } = await runBatchChunk(tx, batchId);
  return { settled, is_finished, queued_campaign_ids: queued_campaign_id === null ? [] : [queued_campaign_id] };
}

function drain({ db }: Deps, { tenant_id, campaign_id }: AssignmentDrainInput): Promise<DrainResult> {
  const actor = systemActor(tenant_id, { workflow_id: assignmentDrainWorkflowId(tenant_id, campaign_id) });
  return unitOfWork(db, actor, withAssignments((tx) => serveQueue(tx, campaign_id)));
}
