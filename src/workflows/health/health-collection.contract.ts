import { healthRoundMs } from '../../domain/health/health-history.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Name under which the workflow is registered. */
export const healthCollectionWorkflowType = 'healthCollectionWorkflow';

/** A round a minute. */
export const healthCollectionSchedule: ScheduleContract = {
  scheduleId: 'health-collection',
  workflowType: healthCollectionWorkflowType,
  everyMs: healthRoundMs,
  // A round that was missed cannot be made up for: it would measure now and say then.
  catchupWindowMs: healthRoundMs,
  note: 'Measures the platform and the tenants that have thresholds, keeps the history short, watches the alert evaluation.',
};

/**
 * A moment that all activities of a round share, in milliseconds since the epoch. It makes their repetition harmless.
 */
export interface HealthRound {
  at: number;
}

/** A page of tenants that were measured. */
export interface TenantHealthPage {
  tenants: number;
  /** Tenants that could not be measured this time. */
  failed: number;
  /** The tenant after whom the next page begins; null after the last one. */
  next_after: string | null;
}

/** What keeping the history short has done. */
export interface HealthTending {
  /** Stretches of time that were drawn together. */
  rolled_up: number;
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

/** The hands of the workflow; `src/activities/health/health.activities.ts`. */
export interface HealthActivities {
  /** Runs every probe of the platform and writes what they found. */
  collectPlatformHealth(round: HealthRound): Promise<{ measurements: number; unknown: number }>;
  /** Measures a page of the tenants that have thresholds. */
  collectTenantHealth(page: HealthRound & { after: string | null }): Promise<TenantHealthPage>;
  /** Rolls up and purges one bounded batch. */
  tendHealthHistory(round: HealthRound): Promise<HealthTending>;
  /** Tells the platform's people when the alert evaluation has stopped; null while it runs. */
  watchAlertEvaluation(round: HealthRound): Promise<{ stopped_since: string } | null>;
}
