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
import { createHousekeepingActivities } from './housekeeping.activities.ts';
import { createFocusSessionActivities } from './focus-session.activities.ts';
import { createOnboardingActivities } from './onboarding.activities.ts';
import { createNotificationActivities } from './notification.activities.ts';
import { createNudgeActivities } from './nudge.activities.ts';

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
    ...createHousekeepingActivities(deps),
    ...createFocusSessionActivities(deps),
    ...createNotificationActivities(deps),
    ...createOnboardingActivities(deps),
    ...createNudgeActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
