export { featureFlagRoutes } from './feature-flag.routes.ts';
export { ofrepRoutes } from './ofrep.routes.ts';
