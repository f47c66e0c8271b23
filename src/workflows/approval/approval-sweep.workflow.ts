import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ApprovalSweepActivities, ApprovalSweepPage, ApprovalSweepResult } from './approval-sweep.contract.ts';

/** Asks Temporal about every request of a page, so it is a regular activity. */
const { sweepApprovals } = proxyActivities<ApprovalSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Bounds the history of a run; with a hundred requests a page this is more than ever waits for people. */
const maxPages = 200;

/** Compares waiting requests with their workflows. Started by the Schedule `approval-sweep`; running twice changes nothing. */
export async function approvalSweepWorkflow(): Promise<ApprovalSweepResult> {
  const total: ApprovalSweepResult = { checked: 0, closed: 0, cancelled: 0 };
  let after: string | null = null;
  for (let page = 0; page < maxPages; page += 1) {
    const swept: ApprovalSweepPage = await sweepApprovals({ after });
    total.checked += swept.checked;
    total.closed += swept.closed;
    total.cancelled += swept.cancelled;
    after = swept.next;
    if (after === null) break;
  }
  setCurrentDetails(`- checked: ${total.checked}\n- closed: ${total.closed}\n- cancelled: ${total.cancelled}`);
  return total;
}
