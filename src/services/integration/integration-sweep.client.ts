import type { ProcessDeps } from '../../platform/process-deps.ts';
import { integrationSweepWorkflowType } from '../../workflows/integration/integration-sweep.contract.ts';

/**
 * Starts a sweep right after a change of an integration, so that its Temporal Schedule follows the row at once. A failure
 * is logged only: the scheduled sweep does the same within a minute.
 */
export async function startIntegrationSweep(
  { temporal, log }: Pick<ProcessDeps, 'temporal' | 'log'>,
  integrationId: string,
): Promise<void> {
  try {
    await temporal.call((client) =>
      client.workflow.start(integrationSweepWorkflowType, {
        workflowId: `integration-sweep-${integrationId}`,
        taskQueue: temporal.taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [],
        staticSummary: `Schedule of integration ${integrationId}`,
      }),
    );
  } catch (error) {
    log.warn({ err: error, integration_id: integrationId }, 'a Schedule could not be synchronized; the sweep will do it');
  }
}
