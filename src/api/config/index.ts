export { configAdminRoutes } from './config-admin.routes.ts';
export { configRoutes } from './config.routes.ts';
export { deploymentRoutes } from './deployment.routes.ts';
