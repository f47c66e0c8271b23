import type { Route } from './http/route.ts';
import { agentPermissionRoutes } from './identity/agent-permission.routes.ts';
import { approvalPolicyRoutes } from './approval/approval-policy.routes.ts';
import { approvalReviewRoutes } from './approval/approval-review.routes.ts';
import { approvalRoutes } from './approval/approval.routes.ts';
import { auditRetentionRoutes } from './audit/audit-retention.routes.ts';
import { auditRoutes } from './audit/audit.routes.ts';
import { alertRoutes } from './health/alert.routes.ts';
import { dashboardRoutes } from './health/dashboard.routes.ts';
import { systemHealthRoutes } from './health/system-health.routes.ts';
import { authRoutes } from './identity/auth.routes.ts';
import { configAdminRoutes } from './config/config-admin.routes.ts';
import { configRoutes } from './config/config.routes.ts';
import { deploymentRoutes } from './config/deployment.routes.ts';
import { featureFlagRoutes } from './flag/feature-flag.routes.ts';
import { mfaRoutes } from './identity/mfa.routes.ts';
import { notificationDeliveryRoutes } from './notification/notification-delivery.routes.ts';
import { notificationRoutes } from './notification/notification.routes.ts';
import { onboardingRoutes } from './onboarding/onboarding.routes.ts';
import { ofrepRoutes } from './flag/ofrep.routes.ts';
import { oidcRoutes } from './identity/oidc.routes.ts';
import { profileRoutes } from './identity/profile.routes.ts';
import { rbacRoutes } from './identity/rbac.routes.ts';
import { roleAssignmentRoutes } from './identity/role-assignment.routes.ts';
import { rolePermissionRoutes } from './identity/role-permission.routes.ts';
import { roleRoutes } from './identity/role.routes.ts';
import { serviceTokenRoutes } from './identity/service-token.routes.ts';
import { sessionRoutes } from './identity/session.routes.ts';
import { signInFactorRoutes } from './identity/sign-in-factor.routes.ts';
import { temporalCodecRoutes } from './operations/temporal-codec.routes.ts';
import { tenantStatusRoutes } from './identity/tenant-status.routes.ts';
import { tenantRoutes } from './identity/tenant.routes.ts';
import { totpRoutes } from './identity/totp.routes.ts';
import { queueRoutes } from './queue/queue.routes.ts';
import { userRoutes } from './identity/user.routes.ts';
import { assignmentBatchRoutes } from './assignment/assignment-batch.routes.ts';
import { assignmentRoutes } from './assignment/assignment.routes.ts';
import { campaignRoutes } from './assignment/campaign.routes.ts';
import { contactRoutes } from './assignment/contact.routes.ts';
import { activityRoutes } from './tracker/activity.routes.ts';
import { goalRoutes } from './tracker/goal.routes.ts';
import { scoreRoutes } from './tracker/score.routes.ts';
import { trackerDashboardRoutes } from './tracker/tracker-dashboard.routes.ts';
import { trackerSettingsRoutes } from './tracker/tracker-settings.routes.ts';
import { focusSessionRoutes } from './tracker/focus-session.routes.ts';
import { meetingRoutes } from './tracker/meeting.routes.ts';
import { pipelineRoutes } from './tracker/pipeline.routes.ts';
import { prospectFileRoutes } from './tracker/prospect-file.routes.ts';
import { prospectRoutes } from './tracker/prospect.routes.ts';
import { nudgeRoutes } from './tracker/nudge.routes.ts';
import { integrationRoutes } from './integration/integration.routes.ts';
import { integrationRotationRoutes } from './integration/integration-rotation.routes.ts';
import { integrationSyncRoutes } from './integration/integration-sync.routes.ts';
import { integrationWebhookRoutes } from './integration/integration-webhook.routes.ts';

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
