import type { RolloutCommand } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { configRolloutWorkflowId, refreshSignal, rolloutUpdates } from '../../workflows/config/config-rollout.contract.ts';
import type { RolloutMessage } from '../../workflows/config/config-rollout.contract.ts';

/**
 * Sends a person's command to the rollout that is under way in an environment. Its workflow checks the command, records
 * the step, and answers when that is committed.
 *
 * @throws Problem the workflow's refusal; `rollout.not-possible` where no workflow runs.
 */
export async function sendRolloutCommand(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  environment: EnvironmentName,
  verb: RolloutCommand,
  message: RolloutMessage,
  { command_id, waits_until }: WorkflowCommand,
): Promise<void> {
  const workflowId = configRolloutWorkflowId(message.actor.tenant_id, environment);
  try {
    const args: [RolloutMessage] = [{ ...message, command_id }];
    await temporal.call(
      (client) => client.workflow.getHandle(workflowId).executeUpdate(rolloutUpdates[verb], { args, updateId: command_id }),
      waits_until,
    );
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'resource.not-found')) throw error;
    throw new Problem({
      code: 'rollout.not-possible',
      detail: 'The rollout has not begun, or its workflow is being started again. Try again shortly.',
      cause: error,
    });
  }
}

/**
 * Has the rollout of an environment read its row again, if it is of that deployment and does not know the step.
 *
 * @throws Problem `resource.not-found` where none is under way.
 */
export function refreshRollout(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  tenantId: string,
  { environment, ...known }: { readonly environment: EnvironmentName; readonly deployment_id: string; readonly step: number },
): Promise<void> {
  const workflowId = configRolloutWorkflowId(tenantId, environment);
  return temporal.call((client) => client.workflow.getHandle(workflowId).signal(refreshSignal, known));
}
