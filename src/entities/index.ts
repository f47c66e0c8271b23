import { AdminActivityEntity } from './tracker/activity.entity.ts';
import { AdminFocusSessionEntity } from './tracker/focus-session.entity.ts';
import { AdminGoalEntity } from './tracker/goal.entity.ts';
import { AdminMeetingEntity } from './tracker/meeting.entity.ts';
import {
  IntegrationEntity,
  IntegrationMessageEntity,
  IntegrationRecordEntity,
  KeyRotationEntity,
  SyncJobEntity,
} from './integration/integration.entity.ts';
import { AdminNudgeEntity, NudgeMarkEntity } from './tracker/nudge.entity.ts';
import { AdminPipelineEntity, AdminPipelineStageEntity } from './tracker/pipeline.entity.ts';
import { AdminProspectEntity, AdminStageHistoryEntity } from './tracker/prospect.entity.ts';
import { AdminScoreEntity, TrackerSettingsEntity, TrackerVacationEntity } from './tracker/score.entity.ts';
import {
  ApprovalDecisionEntity,
  ApprovalEntity,
  ApprovalHistoryEntity,
  ApprovalPayloadEntity,
  BreakGlassReviewEntity,
} from './approval/approval.entity.ts';
import {
  AuditCheckpointEntity,
  AuditHeadEntity,
  AuditLogEntity,
  AuditPermissionSetEntity,
  AuditTreeNodeEntity,
} from './audit/audit-log.entity.ts';
import {
  AuditPersonKeyEntity,
  AuditRetentionSettingsEntity,
  AuditSegmentEntity,
  AuditVerificationEntity,
  AuditWitnessDeliveryEntity,
} from './audit/audit-retention.entity.ts';
import {
  ConfigProposalEntity,
  ConfigReportEntity,
  ConfigVersionEntity,
  DeploymentEntity,
  DeploymentEventEntity,
  EnvironmentConfigEntity,
} from './config/environment-config.entity.ts';
import { FeatureFlagEntity, FlagHistoryEntity } from './flag/flag.entity.ts';
import {
  AssignmentBatchEntity,
  AssignmentBatchItemEntity,
  AssignmentQueueEntity,
  UserCampaignAssignmentEntity,
  UserContactAssignmentEntity,
} from './assignment/assignment.entity.ts';
import { ClientExportEntity } from './client-record/client-export.entity.ts';
import { ClientEntity, ClientNameWordEntity } from './client-record/client.entity.ts';
import { ClientDataRequestEntity, ClientSettingsEntity } from './client-record/client-data-request.entity.ts';
import { ClientMergeEntity } from './client-record/client-merge.entity.ts';
import { CampaignEntity } from './assignment/campaign.entity.ts';
import { ContactEntity } from './assignment/contact.entity.ts';
import { GatePolicyEntity } from './approval/gate-policy.entity.ts';
import {
  AlertEntity,
  AlertSettingsEntity,
  AlertSilenceEntity,
  AlertThresholdEntity,
  SystemHealthEntity,
} from './health/health.entity.ts';
import { IdempotencyKeyEntity } from './shared/idempotency-key.entity.ts';
import { WorkflowStartEntity } from './shared/workflow-start.entity.ts';
import { MfaChallengeEntity, MfaFactorEntity, MfaRecoveryCodeEntity, RateLimitCounterEntity } from './identity/mfa.entity.ts';
import { DevelopmentMailEntity, NotificationChannelEntity, NotificationDeliveryEntity } from './notification/notification.entity.ts';
import {
  AdminRoleAssignmentEntity,
  AdminRoleEntity,
  AdminRoleHistoryEntity,
  AdminRolePermissionsEntity,
  ModulePermissionEntity,
} from './identity/role.entity.ts';
import { OnboardingSettingsEntity } from './onboarding/onboarding-settings.entity.ts';
import { OnboardingLinkAccessEntity, OnboardingLinkEntity } from './onboarding/onboarding-link.entity.ts';
import { AccountActEntity } from './identity/account-act.entity.ts';
import { AccountLinkEntity } from './identity/account-link.entity.ts';
import { AdministratorNamingEntity } from './identity/administrator-naming.entity.ts';
import { OidcSignInEntity, RefreshTokenEntity, SessionEntity } from './identity/session.entity.ts';
import { ServiceTokenEntity } from './identity/service-token.entity.ts';
import { TenantEntity } from './identity/tenant.entity.ts';
import {
  AdminUserEntity,
  UserEntity,
  UserIdentityEntity,
  UserPreferencesEntity,
  UserStatusHistoryEntity,
} from './identity/user.entity.ts';
import { QueueEntity, QueueEventEntity } from './queue/queue.entity.ts';

/** Every entity by the name of its table: the explicit list that MikroORM, the typed queries and the checks use. */
export const entitiesByTable = {
  clients: ClientEntity,
  client_name_words: ClientNameWordEntity,
  client_data_requests: ClientDataRequestEntity,
  client_settings: ClientSettingsEntity,
  client_merges: ClientMergeEntity,
  client_exports: ClientExportEntity,
  tenants: TenantEntity,
  users: UserEntity,
  user_status_history: UserStatusHistoryEntity,
  admin_users: AdminUserEntity,
  user_preferences: UserPreferencesEntity,
  user_identities: UserIdentityEntity,
  account_acts: AccountActEntity,
  account_links: AccountLinkEntity,
  administrator_namings: AdministratorNamingEntity,
  sessions: SessionEntity,
  refresh_tokens: RefreshTokenEntity,
  oidc_sign_ins: OidcSignInEntity,
  admin_roles: AdminRoleEntity,
  admin_role_permissions: AdminRolePermissionsEntity,
  admin_role_history: AdminRoleHistoryEntity,
  admin_role_assignments: AdminRoleAssignmentEntity,
  user_agent_permissions: ModulePermissionEntity,
  service_tokens: ServiceTokenEntity,
  idempotency_keys: IdempotencyKeyEntity,
  workflow_starts: WorkflowStartEntity,
  audit_logs: AuditLogEntity,
  audit_heads: AuditHeadEntity,
  audit_permission_sets: AuditPermissionSetEntity,
  audit_checkpoints: AuditCheckpointEntity,
  audit_tree_nodes: AuditTreeNodeEntity,
  audit_verifications: AuditVerificationEntity,
  audit_witness_deliveries: AuditWitnessDeliveryEntity,
  audit_retention_settings: AuditRetentionSettingsEntity,
  audit_segments: AuditSegmentEntity,
  audit_person_keys: AuditPersonKeyEntity,
  admin_approval_policies: GatePolicyEntity,
  admin_approval_payloads: ApprovalPayloadEntity,
  admin_approvals: ApprovalEntity,
  admin_approval_decisions: ApprovalDecisionEntity,
  admin_approval_history: ApprovalHistoryEntity,
  admin_break_glass_reviews: BreakGlassReviewEntity,
  admin_feature_flags: FeatureFlagEntity,
  admin_flag_history: FlagHistoryEntity,
  admin_config_proposals: ConfigProposalEntity,
  admin_config_versions: ConfigVersionEntity,
  admin_environment_configs: EnvironmentConfigEntity,
  admin_deployments: DeploymentEntity,
  admin_deployment_events: DeploymentEventEntity,
  admin_config_reports: ConfigReportEntity,
  mfa_factors: MfaFactorEntity,
  mfa_recovery_codes: MfaRecoveryCodeEntity,
  mfa_challenges: MfaChallengeEntity,
  rate_limit_counters: RateLimitCounterEntity,
  admin_system_health: SystemHealthEntity,
  admin_alert_thresholds: AlertThresholdEntity,
  admin_alert_settings: AlertSettingsEntity,
  admin_alerts: AlertEntity,
  admin_alert_silences: AlertSilenceEntity,
  notification_channels: NotificationChannelEntity,
  notification_deliveries: NotificationDeliveryEntity,
  development_mails: DevelopmentMailEntity,
  admin_pipelines: AdminPipelineEntity,
  admin_pipeline_stages: AdminPipelineStageEntity,
  admin_prospects: AdminProspectEntity,
  admin_stage_history: AdminStageHistoryEntity,
  admin_goals: AdminGoalEntity,
  admin_meetings: AdminMeetingEntity,
  admin_activities: AdminActivityEntity,
  admin_scores: AdminScoreEntity,
  admin_tracker_settings: TrackerSettingsEntity,
  admin_tracker_vacations: TrackerVacationEntity,
  admin_focus_sessions: AdminFocusSessionEntity,
  admin_nudges: AdminNudgeEntity,
  admin_nudge_marks: NudgeMarkEntity,
  campaigns: CampaignEntity,
  contacts: ContactEntity,
  user_campaign_assignment: UserCampaignAssignmentEntity,
  user_contact_assignment: UserContactAssignmentEntity,
  assignment_queue: AssignmentQueueEntity,
  assignment_batches: AssignmentBatchEntity,
  assignment_batch_items: AssignmentBatchItemEntity,
  onboarding_settings: OnboardingSettingsEntity,
  onboarding_link: OnboardingLinkEntity,
  onboarding_link_access: OnboardingLinkAccessEntity,
  admin_integrations: IntegrationEntity,
  admin_sync_jobs: SyncJobEntity,
  integration_records: IntegrationRecordEntity,
  integration_messages: IntegrationMessageEntity,
  admin_key_rotations: KeyRotationEntity,
  admin_queues: QueueEntity,
  admin_queue_events: QueueEventEntity,
};

export const entities = Object.values(entitiesByTable);
