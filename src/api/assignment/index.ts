export { assignmentBatchRoutes } from './assignment-batch.routes.ts';
export { assignmentRoutes } from './assignment.routes.ts';
export { campaignRoutes } from './campaign.routes.ts';
export { contactRoutes } from './contact.routes.ts';
