import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  proxyLocalActivities,
  setCurrentDetails,
  sleep,
} from '@temporalio/workflow';
import { isRolloutClosed } from '../../domain/config/config-rollout.ts';
import { configRolloutChildOptions, configRolloutWorkflowType } from './config-rollout.contract.ts';
import type {
  BatchPart,
  ConfigBatchInput,
  ConfigBatchOutcome,
  ConfigRolloutActivities,
  ConfigRolloutOutcome,
  UndonePart,
} from './config-rollout.contract.ts';

/** One short transaction each, tried until the database is back: a half-made change must not be left alone. */
const background = proxyLocalActivities<
  Pick<ConfigRolloutActivities, 'loadRolloutBatch' | 'stepRollout' | 'undoRolloutPart'>
>({
  startToCloseTimeout: '4 seconds',
  localRetryThreshold: '3 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '1 minute' },
});

/**
 * A configuration change of one or more environments. Id `rollout-batch/<tenant>/<batch>`. Its parts are rolled out in
 * their order; when one does not succeed, the parts after it are never begun and those before it are undone in reverse
 * order, each with its own recorded result.
 */
export async function configBatchWorkflow(input: ConfigBatchInput): Promise<ConfigBatchOutcome> {
  const parts = await background.loadRolloutBatch(input);
  const outcomes: ConfigRolloutOutcome[] = [];
  for (const part of parts) {
    const outcome = await rollOut(input, part);
    outcomes.push(outcome);
    setCurrentDetails(outcomes.map(({ deployment_id, status }) => `- \`${deployment_id}\`: ${status}`).join('\n'));
    if (outcome.status !== 'succeeded') {
      const undone = await CancellationScope.nonCancellable(() => undoParts(input, parts, outcomes.length - 1));
      return { parts: outcomes, undone };
    }
  }
  return { parts: outcomes, undone: [] };
}

async function rollOut(input: ConfigBatchInput, part: BatchPart): Promise<ConfigRolloutOutcome> {
  const { deployment_id, environment, plan, status } = part;
  if (isRolloutClosed(status)) return { deployment_id, status };
  const options = configRolloutChildOptions({ actor: input.actor, deployment_id, environment, plan, carry: null });
  for (;;) {
    try {
      return (await executeChild(configRolloutWorkflowType, options)) as ConfigRolloutOutcome;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        // The rollout before this one is still sending its notifications.
        await sleep('5 seconds');
        continue;
      }
      if (!(error instanceof ChildWorkflowFailure) && !isCancellation(error)) throw error;
      // Terminated by an operator, or unable to go on: its end is written here.
      return CancellationScope.nonCancellable(() => endWithoutWorkflow(input, deployment_id));
    }
  }
}

/** Records the end of a rollout whose workflow is gone: everybody gets the version before. */
async function endWithoutWorkflow(input: ConfigBatchInput, deploymentId: string): Promise<ConfigRolloutOutcome> {
  const part = (await background.loadRolloutBatch(input)).find(({ deployment_id }) => deployment_id === deploymentId);
  if (part === undefined || isRolloutClosed(part.status)) {
    return { deployment_id: deploymentId, status: part?.status ?? 'aborted' };
  }
  const { status } = await background.stepRollout({
    actor: { ...input.actor, user_id: null, session_id: null },
    deployment_id: deploymentId,
    fence: null,
    command: 'abort',
    step: part.step,
    reason: null,
    mfa_proof_id: null,
    evidence: { reason: 'its workflow has ended' },
  });
  return { deployment_id: deploymentId, status };
}

async function undoParts(input: ConfigBatchInput, parts: readonly BatchPart[], failed: number): Promise<UndonePart[]> {
  for (const { deployment_id } of parts.slice(failed + 1)) await endWithoutWorkflow(input, deployment_id);
  const actor = { ...input.actor, user_id: null, session_id: null };
  const undone: UndonePart[] = [];
  for (const { deployment_id } of parts.slice(0, failed).toReversed()) {
    undone.push(await background.undoRolloutPart({ actor, deployment_id }));
  }
  return undone;
}
