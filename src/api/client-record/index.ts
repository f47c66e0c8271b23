export { clientFileRoutes } from './client-file.routes.ts';
export { clientRoutes } from './client.routes.ts';
export { clientDataRequestRoutes } from './client-data-request.routes.ts';
export { clientMergeRoutes } from './client-merge.routes.ts';
