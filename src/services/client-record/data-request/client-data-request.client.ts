import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { clientDataRequestStartOptions, clientDataRequestWorkflowType } from '../../../workflows/client-record/client-data-request.contract.ts';
import type { ClientDataRequestInput } from '../../../workflows/client-record/client-data-request.contract.ts';

/**
 * Signals the workflow of a request that its row has changed, starting it where it is not running: it then ends at once, or goes
 * on where a lost one was.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable.
 */
export async function sendDataRequestChanged({ temporal }: Pick<ProcessDeps, 'temporal'>, request: ClientDataRequestInput): Promise<void> {
  await temporal.call((client) =>
    client.workflow.signalWithStart(clientDataRequestWorkflowType, {
      ...clientDataRequestStartOptions(request),
      taskQueue: temporal.taskQueue,
    }),
  );
}
