import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { AssignmentSweepActivities, AssignmentSweepResult } from './assignment-sweep.contract.ts';

/** Starts and wakes other workflows, so it is a regular activity. */
const { sweepAssignments } = proxyActivities<AssignmentSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Picks up what was left lying while Temporal was away, and the contacts of people who were closed by an approval.
 * Started by the Schedule `assignment-sweep`; running twice does nothing more. A run takes a bounded number.
 */
export async function assignmentSweepWorkflow(): Promise<AssignmentSweepResult> {
  const swept = await sweepAssignments();
  setCurrentDetails(
    `- batches restarted: ${swept.restarted}\n- queues woken: ${swept.woken}\n- hand-overs begun: ${swept.handed_over}`,
  );
  return swept;
}
