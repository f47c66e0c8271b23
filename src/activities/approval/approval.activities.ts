import { actorOfRef } from '../../domain/shared/actor.ts';
import type { Actor, ActorRef } from '../../domain/shared/actor.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { readRequest, recordCommand, recordRequest, settleRequest } from '../../services/approval/approval-command.service.ts';
import { executeApproval, failApproval } from '../../services/approval/approval-execution.service.ts';
import { notifyOfApproval } from '../../services/approval/approval-notification.service.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import { approvalWorkflowId } from '../../workflows/approval/approval.contract.ts';
import type { ApprovalActivities, ApprovalRecord, ExecuteApproval } from '../../workflows/approval/approval.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'keyring' | 'log' | 'temporal'>;

/** The activities of `approvalWorkflow`. Each may run twice: it finds what it has committed. */
export function createApprovalActivities(deps: Deps): ApprovalActivities {
  const notifying = { db: deps.db, notify: createNotify(deps), publicUrl: deps.env.PUBLIC_URL };
  return {
    openApproval: (input) =>
      asActivity(() => recordRequest(deps, actingFor(input.requester, input.approval_id), input)),
    settleOpening: ({ actor, approval_id }) => asActivity(() => settleRequest(deps, actingFor(actor, approval_id), approval_id)),
    readApproval: ({ actor, approval_id }) => asActivity(() => readRequest(deps, actingFor(actor, approval_id), approval_id)),
    recordApprovalCommand: (input) =>
      asActivity(() => recordCommand(deps, actingFor(input.actor, input.approval_id), input)),
    failApproval: (input) => asActivity(() => failApproval(deps.db, actingFor(input.actor, input.approval_id), input)),
    executeApproval: (input) =>
      asActivity(async () => {
        const record = await executeApproval(deps, actingFor(input.actor, input.approval_id), input);
        return { ...record, is_told: await notifyOfEnd(notifying, record, input) };
      }),
    announceApproval: (input) =>
      asActivity(() => notifyOfApproval(notifying, actingFor(input.actor, input.approval_id), input)),
  };
}

/** Notifies people at once. What cannot be started now is left to the workflow, which tries for longer. */
async function notifyOfEnd(
  deps: Parameters<typeof notifyOfApproval>[0],
  { view: { status } }: ApprovalRecord,
  { actor: requester, approval_id, occurrence }: ExecuteApproval,
): Promise<boolean> {
  if (occurrence === undefined || (status !== 'executed' && status !== 'failed')) return false;
  const actor = { ...requester, user_id: null, session_id: null };
  try {
    await notifyOfApproval(deps, actingFor(actor, approval_id), { actor, approval_id, news: status, occurrence });
    return true;
  } catch {
    return false;
  }
}

/** The actor of an activity: whoever asked, through this request's workflow. */
function actingFor(ref: ActorRef, approvalId: string): Actor {
  return actorOfRef(ref, approvalWorkflowId(ref.tenant_id, approvalId));
}
