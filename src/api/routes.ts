import type { Route } from './http/route.ts';
import { gatePolicyRoutes, breakGlassReviewRoutes, approvalRoutes } from './approval/index.ts';
import { assignmentBatchRoutes, assignmentRoutes, campaignRoutes, contactRoutes } from './assignment/index.ts';
import { auditRetentionRoutes, auditRoutes } from './audit/index.ts';
import { clientDataRequestRoutes, clientMergeRoutes, clientRoutes } from './client-record/index.ts';
import { clientFileRoutes, clientRoutes } from './client-record/index.ts';
import { configAdminRoutes, configRoutes, deploymentRoutes } from './config/index.ts';
import { featureFlagRoutes, ofrepRoutes } from './flag/index.ts';
import { alertRoutes, dashboardRoutes, systemHealthRoutes } from './health/index.ts';
import {
  accountActRoutes,
  accountLinkRoutes,
  modulePermissionRoutes,
  authRoutes,
  mfaRoutes,
  oidcRoutes,
  profileRoutes,
  rbacRoutes,
  roleAssignmentRoutes,
  rolePermissionRoutes,
  roleRoutes,
  serviceTokenRoutes,
  sessionRoutes,
  signInFactorRoutes,
  tenantAdministratorRoutes,
  tenantRoutes,
  tenantStatusRoutes,
  totpRoutes,
  userRoutes,
} from './identity/index.ts';
import {
  integrationRotationRoutes,
  integrationRoutes,
  integrationSecretRoutes,
  integrationSyncRoutes,
  integrationWebhookRoutes,
} from './integration/index.ts';
import { notificationDeliveryRoutes, notificationChannelRoutes } from './notification/index.ts';
import { onboardingRoutes } from './onboarding/index.ts';
import { temporalCodecRoutes } from './operations/index.ts';
import { queueRoutes } from './queue/index.ts';
import {
  activityRoutes,
  focusSessionRoutes,
  goalRoutes,
  meetingRoutes,
  nudgeRoutes,
  pipelineRoutes,
  prospectFileRoutes,
  prospectRoutes,
  scoreRoutes,
  trackerDashboardRoutes,
  trackerSettingsRoutes,
} from './tracker/index.ts';

/** Every route of the API, feature by feature. The order matters only between a literal path and a pattern. */
export const routes: readonly Route[] = [
  ...authRoutes,
  ...accountActRoutes,
  ...accountLinkRoutes,
  ...oidcRoutes,
  ...mfaRoutes,
  ...totpRoutes,
  ...notificationChannelRoutes,
  ...notificationDeliveryRoutes,
  ...profileRoutes,
  ...signInFactorRoutes,
  ...rbacRoutes,
  ...userRoutes,
  ...sessionRoutes,
  ...roleRoutes,
  ...rolePermissionRoutes,
  ...roleAssignmentRoutes,
  ...modulePermissionRoutes,
  ...tenantRoutes,
  ...tenantAdministratorRoutes,
  ...tenantStatusRoutes,
  ...temporalCodecRoutes,
  ...approvalRoutes,
  ...gatePolicyRoutes,
  ...breakGlassReviewRoutes,
  ...featureFlagRoutes,
  ...ofrepRoutes,
  ...queueRoutes,
  ...configAdminRoutes,
  ...configRoutes,
  ...deploymentRoutes,
  ...serviceTokenRoutes,
  ...campaignRoutes,
  ...contactRoutes,
  ...assignmentRoutes,
  ...assignmentBatchRoutes,
  ...clientMergeRoutes,
  ...clientFileRoutes,
  ...clientRoutes,
  ...clientDataRequestRoutes,
  ...activityRoutes,
  ...goalRoutes,
  ...scoreRoutes,
  ...trackerDashboardRoutes,
  ...trackerSettingsRoutes,
  ...dashboardRoutes,
  ...systemHealthRoutes,
  ...alertRoutes,
  ...auditRetentionRoutes,
  ...auditRoutes,
  ...focusSessionRoutes,
  ...onboardingRoutes,
  ...meetingRoutes,
  ...pipelineRoutes,
  ...prospectFileRoutes,
  ...prospectRoutes,
  ...nudgeRoutes,
  ...integrationRoutes,
  ...integrationSecretRoutes,
  ...integrationSyncRoutes,
  ...integrationRotationRoutes,
  ...integrationWebhookRoutes,
];
