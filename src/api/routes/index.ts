import type { Route } from '../route.ts';
import { authRoutes } from './auth.routes.ts';
import { mfaRoutes } from './mfa.routes.ts';
import { profileRoutes } from './profile.routes.ts';
import { rbacRoutes } from './rbac.routes.ts';
import { totpRoutes } from './totp.routes.ts';

/** Every route of the API, feature by feature. The order matters only between a literal path and a pattern. */
export const routes: readonly Route[] = [
  ...authRoutes,
  ...mfaRoutes,
  ...totpRoutes,
  ...profileRoutes,
  ...rbacRoutes,
];
