import type { ActivityDeps } from './deps.ts';
import { createApprovalSweepActivities } from './approval/approval-sweep.activities.ts';
import { createApprovalActivities } from './approval/approval.activities.ts';
import { createAssignmentActivities } from './assignment/assignment.activities.ts';
import { createAssignmentSweepActivities } from './assignment/assignment-sweep.activities.ts';
import { createAuditCheckpointActivities } from './audit/audit-checkpoint.activities.ts';
import { createAuditRetentionActivities } from './audit/audit-retention.activities.ts';
import { createAuditVerificationActivities } from './audit/audit-verification.activities.ts';
import { createAuditWitnessActivities } from './audit/audit-witness.activities.ts';
import { createClientDataRequestActivities } from './client-record/client-data-request.activities.ts';
import { createConfigRolloutActivities } from './config/config-rollout.activities.ts';
import { createAlertActivities } from './health/alert.activities.ts';
import { createHealthActivities } from './health/health.activities.ts';
import { createModulePermissionSweepActivities } from './identity/module-permission-sweep.activities.ts';
import { createIntegrationSweepActivities } from './integration/integration-sweep.activities.ts';
import { createIntegrationSyncActivities } from './integration/integration-sync.activities.ts';
import { createKeyRotationActivities } from './integration/key-rotation.activities.ts';
import { createHousekeepingActivities } from './operations/housekeeping.activities.ts';
import { createFocusSessionActivities } from './tracker/focus-session.activities.ts';
import { createOnboardingActivities } from './onboarding/onboarding.activities.ts';
import { createNotificationActivities } from './notification/notification.activities.ts';
import { createNudgeActivities } from './tracker/nudge.activities.ts';
import { createQueueActivities } from './queue/queue.activities.ts';

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
    ...createClientDataRequestActivities(deps),
    ...createConfigRolloutActivities(deps),
    ...createAlertActivities(deps),
    ...createHealthActivities(deps),
    ...createHousekeepingActivities(deps),
    ...createIntegrationSweepActivities(deps),
    ...createIntegrationSyncActivities(deps),
    ...createKeyRotationActivities(deps),
    ...createModulePermissionSweepActivities(deps),
    ...createFocusSessionActivities(deps),
    ...createNotificationActivities(deps),
    ...createOnboardingActivities(deps),
    ...createNudgeActivities(deps),
    ...createQueueActivities(deps),
  };
}
