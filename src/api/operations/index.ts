export { temporalCodecRoutes } from './temporal-codec.routes.ts';
