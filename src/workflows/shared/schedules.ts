import type { ScheduleContract } from './schedule-contract.ts';
import { approvalSweepSchedule } from '../approval/approval-sweep.contract.ts';
import { assignmentSweepSchedule } from '../assignment/assignment-sweep.contract.ts';
import { focusSweepSchedule } from '../tracker/focus-sweep.contract.ts';
import { auditCheckpointSchedule } from '../audit/audit-checkpoint.contract.ts';
import { auditVerificationSchedule } from '../audit/audit-verification.contract.ts';
import { configSweepSchedule } from '../config/config-sweep.contract.ts';
import { nudgeSchedulesSchedule } from '../tracker/nudge-round.contract.ts';
import { modulePermissionSweepSchedule } from '../identity/module-permission-sweep.contract.ts';
import { integrationSweepSchedule } from '../integration/integration-sweep.contract.ts';
import { onboardingSweepSchedule } from '../onboarding/onboarding-sweep.contract.ts';
import { alertEvaluationSchedule } from '../health/alert-evaluation.contract.ts';
import { healthCollectionSchedule } from '../health/health-collection.contract.ts';
import { housekeepingSchedule } from '../operations/housekeeping.contract.ts';

/** Every Schedule of the product; the worker creates those that are missing. */
export const schedules: readonly ScheduleContract[] = [
  approvalSweepSchedule,
  auditCheckpointSchedule,
  auditVerificationSchedule,
  configSweepSchedule,
  nudgeSchedulesSchedule,
  healthCollectionSchedule,
  alertEvaluationSchedule,
  housekeepingSchedule,
  onboardingSweepSchedule,
  assignmentSweepSchedule,
  focusSweepSchedule,
  integrationSweepSchedule,
  modulePermissionSweepSchedule,
];

/** Ids of Schedules of earlier releases; the worker removes them. `audit-retention`: see `docs/audit.md`. */
export const retiredSchedules: readonly string[] = ['audit-retention'];
