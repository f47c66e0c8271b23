import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { AlertActivities, AlertEvaluationResult, EvaluationPage } from './alert-evaluation.contract.ts';

/**
 * Starts deliveries, so it is a regular activity with heartbeats. Repeating a page is harmless: what was done is not due
 * any more.
 */
const { evaluateAlerts } = proxyActivities<AlertActivities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds', maximumAttempts: 5 },
});

/** Calls the external watcher. */
const { closeAlertEvaluation } = proxyActivities<AlertActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/**
 * One evaluation of all thresholds (S2-75). Started by the Schedule `alert-evaluation`, one run at a time; the next run
 * takes up what this one could not do.
 */
export async function alertEvaluationWorkflow(): Promise<AlertEvaluationResult> {
  const at = Date.now();
  const total = { thresholds: 0, changed: 0, told: 0, failed: 0 };
  let after: string | null = null;
  do {
    const page: EvaluationPage = await evaluateAlerts({ at, after });
    total.thresholds += page.thresholds;
    total.changed += page.changed;
    total.told += page.told;
    total.failed += page.failed;
    after = page.next_after;
  } while (after !== null);
  const { collector_stopped_since } = await closeAlertEvaluation({
    at,
    thresholds: total.thresholds,
    failed: total.failed,
  });
  setCurrentDetails(
    [
      `- thresholds: ${total.thresholds}, changed: ${total.changed}, sent: ${total.told}, failed tenants: ${total.failed}`,
      ...(collector_stopped_since === null ? [] : [`- **nothing was measured since ${collector_stopped_since}**`]),
    ].join('\n'),
  );
  return total;
}
