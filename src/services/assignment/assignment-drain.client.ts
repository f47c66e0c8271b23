import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { CommittedChange } from '../actions/action.ts';
import {
  assignmentDrainStartOptions,
  assignmentDrainWorkflowType,
  defaultRecheckMs,
  wakeSignal,
} from '../../workflows/assignment/assignment-drain.contract.ts';

/**
 * Wakes the workflow of a campaign's queue, starting it where it is not running: a member may have capacity, or a contact
 * has begun to wait.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function sendQueueWake(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  tenantId: string,
  campaignId: string,
): Promise<void> {
  const input = { tenant_id: tenantId, campaign_id: campaignId, recheck_ms: defaultRecheckMs };
  await temporal.call((client) =>
    client.workflow.signalWithStart(assignmentDrainWorkflowType, {
      ...assignmentDrainStartOptions(input),
      taskQueue: temporal.taskQueue,
      signal: wakeSignal,
    }),
  );
}

/**
 * {@link sendQueueWake} for several campaigns, each once; nulls are skipped. A failure is only logged: the change that led
 * here is committed, and every later assignment and the sweep serve the queue in any case.
 */
export async function sendQueueWakes(
  deps: Pick<ProcessDeps, 'temporal' | 'log'>,
  tenantId: string,
  campaignIds: readonly (string | null)[],
): Promise<void> {
  for (const campaign_id of new Set(campaignIds)) {
    if (campaign_id === null) continue;
    try {
      await sendQueueWake(deps, tenantId, campaign_id);
    } catch (error) {
      deps.log.warn({ err: error, campaign_id }, 'the assignment of queued contacts could not be started');
    }
  }
}

/** {@link sendQueueWake} after a change whose result names the campaign where a member may have capacity now, or null. */
export async function sendQueueWakeOfChange(
  deps: Pick<ProcessDeps, 'temporal'>,
  { actor: { tenant_id }, result: { campaign_id } }: CommittedChange,
): Promise<void> {
  if (typeof campaign_id === 'string') await sendQueueWake(deps, tenant_id, campaign_id);
}
