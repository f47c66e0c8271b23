import { healthRoundMs } from '../../domain/health/health-history.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const alertEvaluationWorkflowType = 'alertEvaluationWorkflow';

/** As often as there are new measurements. */
export const alertEvaluationSchedule: ScheduleContract = {
  scheduleId: 'alert-evaluation',
  workflowType: alertEvaluationWorkflowType,
  everyMs: healthRoundMs,
  // The next evaluation sees what a missed one would have seen, and sends the notifications that are still due.
  catchupWindowMs: healthRoundMs,
  note: 'Compares thresholds with measurements, notifies people of alerts, pings the external watcher.',
};

/** The time that all activities of an evaluation share, in milliseconds since the epoch. */
export interface EvaluationRound {
  at: number;
}

/** A page of tenants whose thresholds were evaluated. */
export interface EvaluationPage {
  thresholds: number;
  /** Alerts that changed their state. */
  changed: number;
  /** Notifications that were sent. */
  told: number;
  /** Tenants whose evaluation failed this time; the next evaluation includes them again. */
  failed: number;
  next_after: string | null;
}

/** What an evaluation has done. */
export type AlertEvaluationResult = Omit<EvaluationPage, 'next_after'>;

/** The activities of the workflow; implemented in `src/activities/health/alert.activities.ts`. */
export interface AlertActivities {
  /** Evaluates a page of tenants and sends the notifications that are due. */
  evaluateAlerts(page: EvaluationRound & { after: string | null }): Promise<EvaluationPage>;
  /** Pings the external watcher, records that the evaluation ran, and notifies when the collector has stopped. */
  closeAlertEvaluation(
    round: EvaluationRound & { thresholds: number; failed: number },
  ): Promise<{ collector_stopped_since: string | null }>;
}
