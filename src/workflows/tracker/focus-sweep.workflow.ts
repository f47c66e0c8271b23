import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { FocusSweepActivities, FocusSweepPage, FocusSweepResult } from './focus-sweep.contract.ts';

/** Asks Temporal about every session of a page, so it is a regular activity. */
const { sweepFocusSessions } = proxyActivities<FocusSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Bounds the history of a run; with a hundred sessions a page, more people than that never focus at once. */
const maxPages = 200;

/** Compares active sessions with their workflows. Started by the Schedule `focus-sweep`; running twice changes nothing. */
export async function focusSweepWorkflow(): Promise<FocusSweepResult> {
  const total: FocusSweepResult = { checked: 0, ended: 0 };
  let after: number | null = 0;
  for (let page = 0; page < maxPages && after !== null; page += 1) {
    const swept: FocusSweepPage = await sweepFocusSessions({ after });
    total.checked += swept.checked;
    total.ended += swept.ended;
    after = swept.next;
  }
  setCurrentDetails(`- checked: ${total.checked}\n- ended: ${total.ended}`);
  return total;
}
