export { approvalWorkflow } from './approval.workflow.ts';
export { notificationDeliveryWorkflow } from './notification-delivery.workflow.ts';
