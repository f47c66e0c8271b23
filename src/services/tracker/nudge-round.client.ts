import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { ensureSchedules } from '../../platform/temporal/schedules.ts';
import {
  nudgePersonStartOptions,
  nudgeRoundSchedule,
  nudgeRoundWorkflowType,
} from '../../workflows/tracker/nudge-round.contract.ts';
import type { NudgeRoundResult } from '../../workflows/tracker/nudge-round.contract.ts';

type Deps = Pick<ProcessDeps, 'temporal'>;

/**
 * Runs a round for one person and waits for its end. Requests that come while one runs share it.
 *
 * @returns ids of the nudges that are new.
 */
export async function runNudgeRound(
  { temporal }: Deps,
  { tenant_id, user_id }: { readonly tenant_id: string; readonly user_id: string },
  { command_id, waits_until }: WorkflowCommand,
): Promise<number[]> {
  const { nudge_ids } = await temporal.call(
    (client) =>
      client.workflow.execute(nudgeRoundWorkflowType, {
        ...nudgePersonStartOptions(tenant_id, user_id, command_id),
        taskQueue: temporal.taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
      }) as Promise<NudgeRoundResult>,
    waits_until,
  );
  return nudge_ids;
}

/** Creates the Schedules of these tenants' rounds where they are missing, and brings the others up to date. */
export function ensureNudgeRoundSchedules({ temporal }: Deps, tenantIds: readonly string[]): Promise<void> {
  return ensureSchedules(temporal.client, temporal.taskQueue, tenantIds.map(nudgeRoundSchedule));
}
