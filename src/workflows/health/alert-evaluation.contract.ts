import { healthRoundMs } from '../../domain/health/health-history.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const alertEvaluationWorkflowType = 'alertEvaluationWorkflow';

/** As often as something new is measured. */
export const alertEvaluationSchedule: ScheduleContract = {
  scheduleId: 'alert-evaluation',
  workflowType: alertEvaluationWorkflowType,
  everyMs: healthRoundMs,
  // The next evaluation sees what a missed one would have seen, and news that were left untold.
  catchupWindowMs: healthRoundMs,
  note: 'Compares thresholds with measurements, tells people of alerts, pings the external watcher.',
};

/** A moment that all activities of an evaluation share, in milliseconds since the epoch. */
export interface EvaluationRound {
  at: number;
}

/** A page of tenants whose thresholds were evaluated. */
export interface EvaluationPage {
  thresholds: number;
  /** Alerts that changed their state. */
  changed: number;
  /** News that were handed to the notifier. */
  told: number;
  /** Tenants that could not be worked on this time; the next evaluation comes back to them. */
  failed: number;
  next_after: string | null;
}

/** What an evaluation has done. */
export type AlertEvaluationResult = Omit<EvaluationPage, 'next_after'>;

/** The hands of the workflow; `src/activities/health/alert.activities.ts`. */
export interface AlertActivities {
  /** Evaluates a page of tenants and tells what is untold. */
  evaluateAlerts(page: EvaluationRound & { after: string | null }): Promise<EvaluationPage>;
  /** Pings the external watcher, writes down that the evaluation ran, and tells when the collector has stopped. */
  closeAlertEvaluation(
    round: EvaluationRound & { thresholds: number; failed: number },
  ): Promise<{ collector_stopped_since: string | null }>;
}
