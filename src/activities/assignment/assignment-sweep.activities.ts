import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { openAssignments } from '../../services/assignment/assignment-access.service.ts';
import { createHandOverBatch } from '../../services/assignment/assignment-batch.service.ts';
import { actorRef, defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { read } from '../../platform/database/read.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignmentBatchStartOptions, assignmentBatchWorkflowType } from '../../workflows/assignment/assignment-batch.contract.ts';
import { assignmentSweepSchedule } from '../../workflows/assignment/assignment-sweep.contract.ts';
import type { AssignmentSweepActivities, AssignmentSweepResult } from '../../workflows/assignment/assignment-sweep.contract.ts';
import { wakeAssignmentQueue } from './assignment.activities.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/** Things of each kind that one sweep looks after at most. */
const maxSwept = 200;

/** Something that lies about: its batch, campaign or person, by kind. */
interface Due {
  readonly kind: 'batch' | 'queue' | 'leaver';
  readonly tenant_id: string;
  readonly id: string;
}

/** The hands of the sweep of assignments. */
export function createAssignmentSweepActivities(deps: Deps): AssignmentSweepActivities {
  return { sweepAssignments: () => asActivity(() => sweep(deps)) };
}

async function sweep(deps: Deps): Promise<AssignmentSweepResult> {
  const statement = sql<Due>`select * from assignment_work_due(${maxSwept})`;
  const due = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(query) });
  const result = { restarted: 0, woken: 0, handed_over: 0 };
  for (const { kind, tenant_id, id } of due) {
    switch (kind) {
      case 'batch':
        if (await restart(deps, tenant_id, id)) result.restarted += 1;
        break;
      case 'queue':
        await wakeAssignmentQueue(deps.temporal, tenant_id, id);
        result.woken += 1;
        break;
      case 'leaver':
        if (await handOver(deps, tenant_id, id)) result.handed_over += 1;
        break;
    }
  }
  return result;
}

function inTenant<Result>({ db }: Deps, tenantId: string, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  return unitOfWork(db, systemActor(tenantId, { workflow_id: assignmentSweepSchedule.scheduleId }), async (tx) => {
    await openAssignments(tx);
    return work(tx);
  });
}

/** Starts the workflow of a batch that may have lost it. One that is running goes on undisturbed. */
async function restart(deps: Deps, tenant_id: string, batch_id: string): Promise<boolean> {
  const batch = await inTenant(deps, tenant_id, (tx) =>
    tx.sql
      .selectFrom('assignment_batches')
      .where('id', '=', batch_id)
      .where('status', '=', 'running')
      .select(['kind', 'total', 'settled_position', 'requested_by'])
      .executeTakeFirst(),
  );
  if (batch === undefined) return false;
  const { kind, total, settled_position, requested_by } = batch;
  return startBatch(deps, { tenant_id, user_id: requested_by, batch_id, kind, total, settled: settled_position });
}

/** Writes down what a closed person still looks after, for the pools of the campaigns, and starts the hand-over. */
async function handOver(deps: Deps, tenant_id: string, from_user_id: string): Promise<boolean> {
  const batch_id = randomUUID();
  const total = await inTenant(deps, tenant_id, (tx) =>
    createHandOverBatch(tx, { batch_id, from_user_id, to_user_id: null }),
  );
  if (total === 0) return false;
  return startBatch(deps, { tenant_id, user_id: null, batch_id, kind: 'hand_over', total, settled: 0 });
}

interface LyingBatch {
  readonly tenant_id: string;
  readonly user_id: string | null;
  readonly batch_id: string;
  readonly kind: 'bulk' | 'hand_over';
  readonly total: number;
  readonly settled: number;
}

async function startBatch({ temporal }: Deps, { tenant_id, user_id, ...batch }: LyingBatch): Promise<boolean> {
  const actor = { ...actorRef(systemActor(tenant_id)), user_id };
  const options = assignmentBatchStartOptions({ ...batch, actor, queued_campaign_ids: [] });
  return startOnce(temporal, assignmentBatchWorkflowType, options);
}
