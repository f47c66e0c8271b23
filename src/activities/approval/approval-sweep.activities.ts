import { sql } from 'kysely';
import { cancelApproval } from '../../services/approval/approval.client.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { read } from '../../platform/database/read.ts';
import type { ApprovalSweepActivities, ApprovalSweepPage } from '../../workflows/approval/approval-sweep.contract.ts';
import { approvalSweepSchedule } from '../../workflows/approval/approval-sweep.contract.ts';
import { closeAbandonedApproval } from '../../services/approval/approval-command.service.ts';
import { notifyOfApproval } from '../../services/approval/approval-notification.service.ts';
import type { ActivityDeps } from '../deps.ts';
import { endedWorkflows } from '../../platform/temporal/ended-workflows.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'temporal'>;

/** Requests a page. */
const pageSize = 100;

interface OpenRequest {
  tenant_id: string;
  approval_id: string;
  workflow_id: string;
  requester_left: boolean;
}

/** The activity of `approvalSweepWorkflow`. */
export function createApprovalSweepActivities(deps: Deps): ApprovalSweepActivities {
  return { sweepApprovals: ({ after }) => asActivity(() => sweepPage(deps, after)) };
}

async function sweepPage(deps: Deps, after: string | null): Promise<ApprovalSweepPage> {
  const statement = sql<OpenRequest>`select * from approvals_open(${after}::uuid, ${pageSize}::int)`;
  const open = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(kysely) });
  const ended = await endedWorkflows(deps.temporal, open.map(({ workflow_id }) => workflow_id));
  let closed = 0;
  let cancelled = 0;
  for (const { tenant_id, approval_id, workflow_id, requester_left } of open) {
    const end = ended.get(workflow_id);
    if (end !== undefined) {
      const actor = systemActor(tenant_id, { workflow_id: approvalSweepSchedule.scheduleId });
      if (await closeAbandoned(deps, actor, approval_id, end)) closed += 1;
    } else if (requester_left) {
      await cancelApproval(deps, workflow_id);
      cancelled += 1;
    }
  }
  const next = open.length < pageSize ? null : (open.at(-1)?.approval_id ?? null);
  return { checked: open.length, closed, cancelled, next };
}

/** Closes a request whose workflow has ended, and notifies its authors. @returns false when it was closed meanwhile. */
async function closeAbandoned(deps: Deps, actor: Actor, approval_id: string, end: string): Promise<boolean> {
  if (!(await closeAbandonedApproval(deps.db, actor, approval_id, end))) return false;
  const notifying = { db: deps.db, notify: createNotify(deps), publicUrl: deps.env.PUBLIC_URL };
  await notifyOfApproval(notifying, actor, { actor, approval_id, news: 'cancelled', occurrence: 1 });
  return true;
}
