import type { Route } from '../route.ts';
import { approvalPolicyRoutes } from './approval-policy.routes.ts';
import { approvalReviewRoutes } from './approval-review.routes.ts';
import { approvalRoutes } from './approval.routes.ts';
import { authRoutes } from './auth.routes.ts';
import { featureFlagRoutes } from './feature-flag.routes.ts';
import { mfaRoutes } from './mfa.routes.ts';
import { notificationDeliveryRoutes } from './notification-delivery.routes.ts';
import { notificationRoutes } from './notification.routes.ts';
import { ofrepRoutes } from './ofrep.routes.ts';
import { profileRoutes } from './profile.routes.ts';
import { rbacRoutes } from './rbac.routes.ts';
import { serviceTokenRoutes } from './service-token.routes.ts';
import { totpRoutes } from './totp.routes.ts';

/** Every route of the API, feature by feature. The order matters only between a literal path and a pattern. */
export const routes: readonly Route[] = [
  ...authRoutes,
  ...mfaRoutes,
  ...totpRoutes,
  ...notificationRoutes,
  ...notificationDeliveryRoutes,
  ...profileRoutes,
  ...rbacRoutes,
  ...approvalPolicyRoutes,
  ...approvalReviewRoutes,
  ...approvalRoutes,
  ...featureFlagRoutes,
  ...ofrepRoutes,
  ...serviceTokenRoutes,
];
