import { sql } from 'kysely';
import { cancelWorkflow } from '../../services/approval/deactivated-requester.service.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { applyCommand, isClosed } from '../../domain/approval/approval.ts';
import { query } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ApprovalSweepActivities, ApprovalSweepPage } from '../../workflows/approval/approval-sweep.contract.ts';
import { approvalSweepSchedule } from '../../workflows/approval/approval-sweep.contract.ts';
import { announceApproval } from './approval-notifications.ts';
import { lockApproval, saveTransition } from '../../services/approval/approval.repository.ts';
import type { ActivityDeps } from '../deps.ts';
import { endedWorkflows } from '../../platform/temporal/ended-workflows.ts';
import { createNotify } from '../../services/notification/notify.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/** Requests of one page. */
const pageSize = 100;

interface OpenRequest {
  tenant_id: string;
  approval_id: string;
  workflow_id: string;
  requester_left: boolean;
}

/** The hands of the sweep of approvals. */
export function createApprovalSweepActivities(deps: Deps): ApprovalSweepActivities {
  return { sweepApprovals: ({ after }) => asActivity(() => sweepPage(deps, after)) };
}

async function sweepPage(deps: Deps, after: string | null): Promise<ApprovalSweepPage> {
  const statement = sql<OpenRequest>`select * from approvals_open(${after}::uuid, ${pageSize}::int)`;
  const open = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(query) });
  const ended = await endedWorkflows(deps.temporal, open.map(({ workflow_id }) => workflow_id));
  let closed = 0;
  let cancelled = 0;
  for (const { tenant_id, approval_id, workflow_id, requester_left } of open) {
    const end = ended.get(workflow_id);
    if (end !== undefined) {
      const actor = systemActor(tenant_id, { workflow_id: approvalSweepSchedule.scheduleId });
      if (await closeAbandoned(deps, actor, approval_id, end)) closed += 1;
    } else if (requester_left) {
      await cancelWorkflow(deps.temporal, workflow_id);
      cancelled += 1;
    }
  }
  const next = open.length < pageSize ? null : (open.at(-1)?.approval_id ?? null);
  return { checked: open.length, closed, cancelled, next };
}

/**
 * Closes a request whose workflow cannot do it any more, as that would have done when cancelled, and tells its authors.
 * A change that was under way when the workflow was terminated finds the request closed, or has been made before.
 */
async function closeAbandoned(deps: Deps, actor: Actor, approvalId: string, end: string): Promise<boolean> {
  const isLate = await unitOfWork(deps.db, actor, async (tx) => {
    const stored = await lockApproval(tx, approvalId);
    if (isClosed(stored.approval.status)) return true;
    const next = applyCommand(stored.approval, { kind: 'abort' }, 0);
    await saveTransition(tx, stored, next, {
      event: 'abort',
      reason: `The workflow of the request had ended: ${end.toLowerCase()}.`,
      details: { workflow_status: end },
    });
    return false;
  });
  if (isLate) return false;
  const told = { db: deps.db, notify: createNotify(deps) };
  await announceApproval(told, actor, { actor, approval_id: approvalId, news: 'cancelled', occurrence: 1 });
  return true;
}
