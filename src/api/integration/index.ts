export { integrationRotationRoutes } from './key-rotation.routes.ts';
export { integrationSecretRoutes } from './integration-secret.routes.ts';
export { integrationSyncRoutes } from './integration-sync.routes.ts';
export { integrationWebhookRoutes } from './integration-webhook.routes.ts';
export { integrationRoutes } from './integration.routes.ts';
