import type { Route } from '../route.ts';
import { agentPermissionRoutes } from './agent-permission.routes.ts';
import { approvalPolicyRoutes } from './approval-policy.routes.ts';
import { approvalReviewRoutes } from './approval-review.routes.ts';
import { approvalRoutes } from './approval.routes.ts';
import { auditRetentionRoutes } from './audit-retention.routes.ts';
import { auditRoutes } from './audit.routes.ts';
import { alertRoutes } from './alert.routes.ts';
import { dashboardRoutes } from './dashboard.routes.ts';
import { systemHealthRoutes } from './system-health.routes.ts';
import { authRoutes } from './auth.routes.ts';
import { configAdminRoutes } from './config-admin.routes.ts';
import { configRoutes } from './config.routes.ts';
import { deploymentRoutes } from './deployment.routes.ts';
import { featureFlagRoutes } from './feature-flag.routes.ts';
import { mfaRoutes } from './mfa.routes.ts';
import { notificationDeliveryRoutes } from './notification-delivery.routes.ts';
import { notificationRoutes } from './notification.routes.ts';
import { onboardingRoutes } from './onboarding.routes.ts';
import { ofrepRoutes } from './ofrep.routes.ts';
import { oidcRoutes } from './oidc.routes.ts';
import { profileRoutes } from './profile.routes.ts';
import { rbacRoutes } from './rbac.routes.ts';
import { roleAssignmentRoutes } from './role-assignment.routes.ts';
import { rolePermissionRoutes } from './role-permission.routes.ts';
import { roleRoutes } from './role.routes.ts';
import { serviceTokenRoutes } from './service-token.routes.ts';
import { sessionRoutes } from './session.routes.ts';
import { signInFactorRoutes } from './sign-in-factor.routes.ts';
import { temporalCodecRoutes } from './temporal-codec.routes.ts';
import { tenantStatusRoutes } from './tenant-status.routes.ts';
import { tenantRoutes } from './tenant.routes.ts';
import { totpRoutes } from './totp.routes.ts';
import { queueRoutes } from './queue.routes.ts';
import { userRoutes } from './user.routes.ts';
import { assignmentBatchRoutes } from './assignment-batch.routes.ts';
import { assignmentRoutes } from './assignment.routes.ts';
import { campaignRoutes } from './campaign.routes.ts';
import { contactRoutes } from './contact.routes.ts';
import { activityRoutes } from './activity.routes.ts';
import { goalRoutes } from './goal.routes.ts';
import { scoreRoutes } from './score.routes.ts';
import { trackerDashboardRoutes } from './tracker-dashboard.routes.ts';
import { trackerSettingsRoutes } from './tracker-settings.routes.ts';
import { focusSessionRoutes } from './focus-session.routes.ts';
import { meetingRoutes } from './meeting.routes.ts';
import { pipelineRoutes } from './pipeline.routes.ts';
import { prospectFileRoutes } from './prospect-file.routes.ts';
import { prospectRoutes } from './prospect.routes.ts';
import { nudgeRoutes } from './nudge.routes.ts';
import { integrationRoutes } from './integration.routes.ts';
import { integrationRotationRoutes } from './integration-rotation.routes.ts';
import { integrationSyncRoutes } from './integration-sync.routes.ts';
import { integrationWebhookRoutes } from './integration-webhook.routes.ts';

/** Every route of the API, feature by feature. The order matters only between a literal path and a pattern. */
export const routes: readonly Route[] = [
  ...authRoutes,
  ...oidcRoutes,
  ...mfaRoutes,
  ...totpRoutes,
  ...notificationRoutes,
  ...notificationDeliveryRoutes,
  ...profileRoutes,
  ...signInFactorRoutes,
  ...rbacRoutes,
  ...userRoutes,
  ...sessionRoutes,
  ...roleRoutes,
  ...rolePermissionRoutes,
  ...roleAssignmentRoutes,
  ...agentPermissionRoutes,
  ...tenantRoutes,
  ...tenantStatusRoutes,
  ...temporalCodecRoutes,
  ...approvalRoutes,
  ...approvalPolicyRoutes,
  ...approvalReviewRoutes,
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
  ...integrationSyncRoutes,
  ...integrationRotationRoutes,
  ...integrationWebhookRoutes,
];
