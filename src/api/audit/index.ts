export { auditRetentionRoutes } from './audit-retention.routes.ts';
export { auditRoutes } from './audit.routes.ts';
