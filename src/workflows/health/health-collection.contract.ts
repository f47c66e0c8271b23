import { healthRoundMs } from '../../domain/health/health-history.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const healthCollectionWorkflowType = 'healthCollectionWorkflow';

/** One round a minute. */
export const healthCollectionSchedule: ScheduleContract = {
  scheduleId: 'health-collection',
  workflowType: healthCollectionWorkflowType,
  everyMs: healthRoundMs,
  // A missed round cannot be made up for: it would record present values under a past time.
  catchupWindowMs: healthRoundMs,
  note: 'Measures the platform and the tenants that have thresholds, keeps the history short, watches the alert evaluation.',
};

/**
 * The time that all activities of a round share, in milliseconds since the epoch. It makes repeating them harmless.
 */
export interface HealthRound {
  at: number;
}

/** A page of tenants that were measured. */
export interface TenantHealthPage {
  tenants: number;
  /** Tenants that could not be measured this time. */
  failed: number;
  /** The tenant after which the next page begins; null after the last one. */
  next_after: string | null;
}

/** What one batch of roll-up and purge has done. */
export interface HealthTending {
  /** Time intervals that were aggregated. */
  rolled_up: number;
  /** Rows that were deleted. */
  purged: number;
  /** True when there is more to do. */
  full: boolean;
}

/** What a round has done. */
export interface HealthCollectionResult {
  measurements: number;
  unknown: number;
  tenants: number;
  failed_tenants: number;
  rolled_up: number;
  purged: number;
}

/** The activities of the workflow; implemented in `src/activities/health/health.activities.ts`. */
export interface HealthActivities {
  /** Runs every probe of the platform and writes the measurements. */
  collectPlatformHealth(round: HealthRound): Promise<{ measurements: number; unknown: number }>;
  /** Measures a page of the tenants that have a threshold, a silence or a queue. */
  collectTenantHealth(page: HealthRound & { after: string | null }): Promise<TenantHealthPage>;
  /** Rolls up and purges one bounded batch. */
  tendHealthHistory(round: HealthRound): Promise<HealthTending>;
  /** Notifies the staff of the platform when the alert evaluation has stopped; null while it runs. */
  watchAlertEvaluation(round: HealthRound): Promise<{ stopped_since: string } | null>;
}
