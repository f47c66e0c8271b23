export { approvalWorkflow } from './approval.workflow.ts';
export { auditCheckpointWorkflow } from './audit-checkpoint.workflow.ts';
export { notificationDeliveryWorkflow } from './notification-delivery.workflow.ts';
