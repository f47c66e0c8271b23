import {
  condition,
  continueAsNew,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { nextDataRequestStep } from '../../domain/client-record/data-request.ts';
import { clientDataRequestChangedSignal } from './client-data-request.contract.ts';
import type { ClientDataRequestActivities, ClientDataRequestInput, ClientDataRequestResult } from './client-data-request.contract.ts';

/** One read, retried until the database answers. */
const { readClientDataRequest } = proxyLocalActivities<ClientDataRequestActivities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '10 seconds' },
});

/** Tried until it is told: a deadline of the law does not pass in silence because a database was away. */
const { tellOfClientDataRequest } = proxyActivities<ClientDataRequestActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '2 seconds', maximumInterval: '10 minutes' },
});

/**
 * The timers of one request of a client about their data: a reminder before the due date, and the news that it is overdue. Id
 * `client-data-request/<tenant>/<requestId>`.
 *
 * The row is the source of truth. Whoever closes the request signals the workflow; where the signal is lost, it reads the row with
 * its next timer, within a day.
 */
export async function clientDataRequestWorkflow(input: ClientDataRequestInput): Promise<ClientDataRequestResult> {
  let changes = 0;
  setHandler(clientDataRequestChangedSignal, () => {
    changes += 1;
  });
  for (;;) {
    const seen = changes;
    const request = await readClientDataRequest(input);
    if (request === null) return { status: 'missing' };
    setCurrentDetails(`**${request.status}**, a request for ${request.kind} that is due on ${request.due_on}.`);
    const step = nextDataRequestStep(request, Date.now());
    if (step.kind === 'end') {
      if (changes === seen) return { status: request.status };
    } else if (step.kind === 'wait') {
      await condition(() => changes !== seen, Math.max(step.until - Date.now(), 1), { summary: 'Next look at the request' });
    } else {
      const { kind: _kind, ...news } = step;
      await tellOfClientDataRequest({ ...input, ...news });
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof clientDataRequestWorkflow>(input);
  }
}
