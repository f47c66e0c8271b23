export { approvalRoutes } from './approval.routes.ts';
export { breakGlassReviewRoutes } from './break-glass-review.routes.ts';
export { gatePolicyRoutes } from './gate-policy.routes.ts';
