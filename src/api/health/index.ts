export { alertRoutes } from './alert.routes.ts';
export { dashboardRoutes } from './dashboard.routes.ts';
export { systemHealthRoutes } from './system-health.routes.ts';
