import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ApprovalSweepActivities, ApprovalSweepPage, ApprovalSweepResult } from './approval-sweep.contract.ts';

/** A regular activity, because it asks Temporal about every request of a page. */
const { sweepApprovals } = proxyActivities<ApprovalSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Bounds the history of a run: 20,000 requests, more than ever wait at a time. */
const maxPages = 200;

/** Compares open requests with their workflows. Started by the Schedule `approval-sweep`; repeating changes nothing. */
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
