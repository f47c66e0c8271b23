import { condition, continueAsNew, proxyLocalActivities, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { waitingQuery, wakeSignal } from './assignment-drain.contract.ts';
import type { AssignmentDrainActivities, AssignmentDrainInput, DrainResult } from './assignment-drain.contract.ts';

const local = proxyLocalActivities<AssignmentDrainActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

/**
 * Looks after the queue of one campaign while anything waits in it: whenever a place may be free (a signal) or somebody
 * returns (a timer), the oldest contacts are given out (S3-40). Ends with an empty queue; the next contact that has to
 * wait starts it again.
 *
 * @returns how many contacts it has given out.
 */
export async function assignmentDrainWorkflow(input: AssignmentDrainInput): Promise<number> {
  let isWoken = true;
  let waiting = 0;
  let assigned = 0;
  setHandler(wakeSignal, () => {
    isWoken = true;
  });
  setHandler(waitingQuery, () => waiting);

  for (;;) {
    isWoken = false;
    const result = await local.drainAssignmentQueue(input);
    ({ waiting } = result);
    assigned += result.assigned;
    setCurrentDetails(`${waiting} contact(s) wait; ${assigned} given out`);
    if (waiting === 0 && !isWoken) return assigned;
    if (!result.has_more) await condition(() => isWoken, pauseMs(result, input.recheck_ms), { summary: 'Next look' });
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof assignmentDrainWorkflow>(input);
  }
}

/** Until the next member returns, and no longer than the recheck. At least a second: clocks differ a little. */
function pauseMs({ next_return_at }: DrainResult, recheckMs: number): number {
  if (next_return_at === null) return recheckMs;
  return Math.min(Math.max(Date.parse(next_return_at) - Date.now(), 1000), recheckMs);
}
