import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { AssignmentSweepActivities, AssignmentSweepResult } from './assignment-sweep.contract.ts';

/** Starts and wakes other workflows, so it is a regular activity. */
const { sweepAssignments } = proxyActivities<AssignmentSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/**
 * Continues what was missed while Temporal was unavailable, and reassigns the contacts of users who were deactivated by an
 * approval. Started by the Schedule `assignment-sweep`; running it again changes nothing. A run handles a bounded number.
 */
export async function assignmentSweepWorkflow(): Promise<AssignmentSweepResult> {
  const swept = await sweepAssignments();
  setCurrentDetails(
    `- batches restarted: ${swept.restarted}\n- queues woken: ${swept.woken}\n- reassigning: ${swept.handed_over}`,
  );
  return swept;
}
