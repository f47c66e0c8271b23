export { approvalWorkflow } from './approval.workflow.ts';
