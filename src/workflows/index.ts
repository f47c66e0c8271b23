export { approvalWorkflow } from './approval.workflow.ts';
export { assignmentBatchWorkflow } from './assignment-batch.workflow.ts';
export { assignmentDrainWorkflow } from './assignment-drain.workflow.ts';
export { auditCheckpointWorkflow } from './audit-checkpoint.workflow.ts';
export { housekeepingWorkflow } from './housekeeping.workflow.ts';
export { notificationDeliveryWorkflow } from './notification-delivery.workflow.ts';
export { focusSessionWorkflow } from './focus-session.workflow.ts';
export { nudgeRoundWorkflow, nudgeSchedulesWorkflow } from './nudge-round.workflow.ts';
