export { approvalPolicyRoutes } from './approval-policy.routes.ts';
export { approvalReviewRoutes } from './approval-review.routes.ts';
export { approvalRoutes } from './approval.routes.ts';
