import type { ActivityDeps } from './deps.ts';
import { createApprovalSweepActivities } from './approval-sweep.activities.ts';
import { createApprovalActivities } from './approval.activities.ts';
import { createAssignmentActivities } from './assignment.activities.ts';
import { createAssignmentSweepActivities } from './assignment-sweep.activities.ts';
import { createAuditCheckpointActivities } from './audit-checkpoint.activities.ts';
import { createAuditRetentionActivities } from './audit-retention.activities.ts';
import { createAuditVerificationActivities } from './audit-verification.activities.ts';
import { createAuditWitnessActivities } from './audit-witness.activities.ts';
import { createConfigRolloutActivities } from './config-rollout.activities.ts';
import { createAlertActivities } from './alert.activities.ts';
import { createHealthActivities } from './health.activities.ts';
import { createIntegrationSweepActivities } from './integration-sweep.activities.ts';
import { createIntegrationSyncActivities } from './integration-sync.activities.ts';
import { createKeyRotationActivities } from './key-rotation.activities.ts';
import { createHousekeepingActivities } from './housekeeping.activities.ts';
import { createFocusSessionActivities } from './focus-session.activities.ts';
import { createOnboardingActivities } from './onboarding.activities.ts';
import { createNotificationActivities } from './notification.activities.ts';
import { createNudgeActivities } from './nudge.activities.ts';
import { createQueueActivities } from './queue.activities.ts';

/** Every activity, bound to the parts of this process. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...createApprovalActivities(deps),
    ...createApprovalSweepActivities(deps),
    ...createAssignmentActivities(deps),
    ...createAssignmentSweepActivities(deps),
    ...createAuditCheckpointActivities(deps),
    ...createAuditRetentionActivities(deps),
    ...createAuditVerificationActivities(deps),
    ...createAuditWitnessActivities(deps),
    ...createConfigRolloutActivities(deps),
    ...createAlertActivities(deps),
    ...createHealthActivities(deps),
    ...createHousekeepingActivities(deps),
    ...createIntegrationSweepActivities(deps),
    ...createIntegrationSyncActivities(deps),
    ...createKeyRotationActivities(deps),
    ...createFocusSessionActivities(deps),
    ...createNotificationActivities(deps),
    ...createOnboardingActivities(deps),
    ...createNudgeActivities(deps),
    ...createQueueActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
