import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { FocusSweepActivities, FocusSweepPage, FocusSweepResult } from './focus-sweep.contract.ts';

/** A regular activity, because it asks Temporal about every session of a page. */
const { sweepFocusSessions } = proxyActivities<FocusSweepActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 3 },
});

/** Bounds the history of a run. At a hundred sessions a page this is more than are ever open at the same time. */
const maxPages = 200;

/** Compares active sessions with their workflows. Started by the Schedule `focus-sweep`; idempotent. */
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
