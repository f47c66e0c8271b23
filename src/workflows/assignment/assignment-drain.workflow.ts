import { condition, continueAsNew, proxyLocalActivities, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { waitingQuery, wakeSignal } from './assignment-drain.contract.ts';
import type { AssignmentDrainActivities, AssignmentDrainInput, DrainResult } from './assignment-drain.contract.ts';

/** Retried until the database is available again. */
const background = proxyLocalActivities<AssignmentDrainActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

/**
 * Serves the queue of one campaign while contacts wait in it: when a member may have capacity (a signal) or an absent
 * member returns (a timer), the oldest contacts are assigned (S3-40). Ends when the queue is empty; the next contact that
 * has to wait starts it again.
 *
 * @returns how many contacts it has assigned.
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
    const result = await background.drainAssignmentQueue(input);
    ({ waiting } = result);
    assigned += result.assigned;
    setCurrentDetails(`${waiting} contact(s) wait; ${assigned} assigned`);
    if (waiting === 0 && !isWoken) return assigned;
    if (!result.has_more) await condition(() => isWoken, pauseMs(result, input.recheck_ms), { summary: 'Next look' });
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof assignmentDrainWorkflow>(input);
  }
}

/** Milliseconds until the next member returns, at most the recheck. At least a second, because clocks differ a little. */
function pauseMs({ next_return_at }: DrainResult, recheckMs: number): number {
  if (next_return_at === null) return recheckMs;
  return Math.min(Math.max(Date.parse(next_return_at) - Date.now(), 1000), recheckMs);
}
