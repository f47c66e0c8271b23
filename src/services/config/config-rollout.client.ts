import type { RolloutCommand } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { configRolloutWorkflowId, rolloutUpdates } from '../../workflows/config/config-rollout.contract.ts';
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
  command: RolloutCommand,
  message: RolloutMessage,
): Promise<void> {
  const workflowId = configRolloutWorkflowId(message.actor.tenant_id, environment);
  try {
    await temporal.call((client) =>
      client.workflow.getHandle(workflowId).executeUpdate(rolloutUpdates[command], { args: [message] }),
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
