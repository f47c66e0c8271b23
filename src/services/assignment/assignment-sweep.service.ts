import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { actorRef, defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { assignmentSweepSchedule } from '../../workflows/assignment/assignment-sweep.contract.ts';
import type { AssignmentSweepResult } from '../../workflows/assignment/assignment-sweep.contract.ts';
import { withAssignments } from './assignment-access.service.ts';
import { startAssignmentBatch } from './assignment-batch.client.ts';
import { reassignFromDeactivated } from './assignment-batch.service.ts';
import { sendQueueWake } from './assignment-drain.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/** Items of each kind that one sweep takes at most. */
const sweepLimit = 200;

/** Work without a workflow: `id` names the batch, the campaign of the queue, or the deactivated user. */
interface DueItem {
  readonly kind: 'batch' | 'queue' | 'leaver';
  readonly tenant_id: string;
  readonly id: string;
}

/**
 * Finds what others have missed in all tenants: restarts batches that may have lost their workflow, wakes queues, and
 * reassigns the contacts of deactivated users.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable; what is left is due again in the next sweep.
 */
export async function sweepAssignments(deps: Deps): Promise<AssignmentSweepResult> {
  const statement = sql<DueItem>`select * from assignment_work_due(${sweepLimit})`;
  const due = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(kysely) });
  const result = { restarted: 0, woken: 0, handed_over: 0 };
  for (const { kind, tenant_id, id } of due) {
    switch (kind) {
      case 'batch':
        if (await restartBatch(deps, tenant_id, id)) result.restarted += 1;
        break;
      case 'queue':
        await sendQueueWake(deps, tenant_id, id);
        result.woken += 1;
        break;
      case 'leaver':
        if (await reassignFromDeactivated(deps, sweepActor(tenant_id), { batch_id: randomUUID(), from_user_id: id, to_user_id: null })) {
          result.handed_over += 1;
        }
        break;
    }
  }
  return result;
}

function sweepActor(tenantId: string): Actor {
  return systemActor(tenantId, { workflow_id: assignmentSweepSchedule.scheduleId });
}

/** Starts the workflow of a batch that may have lost it. @returns whether it had; one that is running is left alone. */
async function restartBatch(deps: Deps, tenant_id: string, batch_id: string): Promise<boolean> {
  const find = withAssignments((tx) =>
    tx.sql
      .selectFrom('assignment_batches')
      .where('id', '=', batch_id)
      .where('status', '=', 'running')
      .select(['kind', 'total', 'settled_position', 'requested_by'])
      .executeTakeFirst(),
  );
  const batch = await unitOfWork(deps.db, sweepActor(tenant_id), find);
  if (batch === undefined) return false;
  const { kind, total, settled_position, requested_by } = batch;
  const actor = { ...actorRef(systemActor(tenant_id)), user_id: requested_by };
  return startAssignmentBatch(deps, { actor, batch_id, kind, total, settled: settled_position });
}
