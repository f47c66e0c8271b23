import { WithStartWorkflowOperation, WorkflowNotFoundError } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import {
  approvalStartOptions,
  approvalWorkflowId,
  approvalWorkflowType,
  openUpdate,
  refreshSignal,
} from '../../workflows/approval/approval.contract.ts';
import type { ApprovalInput, OpenMessage, PersonalMessage } from '../../workflows/approval/approval.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/**
 * Starts the workflow of a request, which writes it down.
 *
 * @returns the committed row.
 * @throws Problem why it was not opened, or `service.unavailable` while Temporal cannot be reached.
 */
export async function startApproval(
  { temporal }: Deps,
  input: ApprovalInput,
  message: OpenMessage,
  { command_id, waits_until }: WorkflowCommand,
): Promise<ApprovalView> {
  return temporal.call(
    (client) =>
      client.workflow.executeUpdateWithStart(openUpdate, {
        updateId: command_id,
        args: [message],
        startWorkflowOperation: new WithStartWorkflowOperation(approvalWorkflowType, {
          ...approvalStartOptions(input),
          taskQueue: temporal.taskQueue,
          // A start that was made and not answered is found again by the client's own retry, but never begun anew.
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      }),
    waits_until,
  );
}

/**
 * Sends a decision, an edit or a cancellation to the workflow of a request, which judges it and writes it down.
 *
 * @returns the committed row.
 * @throws Problem the workflow's refusal, or `resource.not-found` when it does not run.
 */
export async function sendApprovalUpdate<Message extends PersonalMessage>(
  { temporal }: Deps,
  request: { readonly tenant_id: string; readonly approval_id: string },
  update: UpdateDefinition<ApprovalView, [Message]>,
  message: Message,
  { command_id: updateId, waits_until }: WorkflowCommand,
): Promise<ApprovalView> {
  const workflowId = approvalWorkflowId(request.tenant_id, request.approval_id);
  return temporal.call(
    (client) => client.workflow.getHandle(workflowId).executeUpdate(update, { args: [message], updateId }),
    waits_until,
  );
}

/**
 * Has the workflow of a request read its row again, unless it knows that version.
 *
 * @throws Problem `resource.not-found` when it has ended.
 */
export function refreshApproval(
  { temporal }: Deps,
  { tenant_id, approval_id }: { readonly tenant_id: string; readonly approval_id: string },
  version: number,
): Promise<void> {
  const workflowId = approvalWorkflowId(tenant_id, approval_id);
  return temporal.call((client) => client.workflow.getHandle(workflowId).signal(refreshSignal, { version }));
}

/** Asks the workflow of a request to end, which closes the row; one that has ended already is left alone. */
export async function cancelApproval({ temporal }: Deps, workflowId: string): Promise<void> {
  await temporal.call(async (client) => {
    try {
      await client.workflow.getHandle(workflowId).cancel();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  });
}
