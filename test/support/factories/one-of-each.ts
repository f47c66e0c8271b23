import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { softwareModules } from '../../../src/domain/identity/module-permission.ts';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import type { HasDatabase } from '../superuser.ts';
import { withSuperuser } from '../superuser.ts';
import { createApproval, createApprovalPayload, createApprovalPolicy, createBreakGlassReview } from './approval.ts';
import { createAssignmentBatch, createCampaign, createCampaignMember, createContact } from './assignment.ts';
import { createClientDataRequest, createClientExport, createClientMerge, createClientRecord } from './client-record.ts';
import { createConfigProposal, createConfigVersion, createDeployment, createEnvironmentConfig } from './config.ts';
import { createFlag } from './flag.ts';
import { createAlert, createAlertSilence, createAlertThreshold } from './health.ts';
import { createRole, createServiceToken } from './identity.ts';
import type { Target } from './row-insertion.ts';
import { createIntegration } from './integration.ts';
import { createNotificationChannel, createNotificationDelivery } from './notification.ts';
import { createOnboardingLink } from './onboarding.ts';
import { createQueue } from './queue.ts';
import {
  createActivity,
  createFocusSession,
  createGoal,
  createMeeting,
  createNudge,
  createPipeline,
  createPipelineStage,
  createProspect,
  createVacation,
} from './tracker.ts';
import { fromNow } from './defaults.ts';

/** One row of every kind of thing that a route can name and the sample data has none of, in the name of a person. */
export async function createOneOfEach(app: HasDatabase, user_id: string): Promise<void> {
  await withSuperuser(app, async (db) => {
    const channel = await createNotificationChannel(db, { events: ['approval.opened'], created_by: user_id });
    await createNotificationDelivery(db, { channel_id: channel.id });
    const { digest } = await createApprovalPayload(db);
    await createApproval(db, { digest, requested_by: user_id });
    await createApprovalPolicy(db, { action: 'flag.toggle', environment: 'development', updated_by: user_id });
    await createBreakGlassReview(db, { user_id });
    await createFlag(db, { key: 'matrix', environment: 'development', updated_by: user_id });
    await createRollout(db, user_id);
    await createRole(db, { permissions: ['profile:read'] });
    await createModulePermissions(db);
    await createTrackerRows(db, user_id);
    const campaign = await createCampaign(db, { created_by: user_id });
    await createCampaignMember(db, { campaign_id: campaign.id, user_id });
    await createContact(db, { created_by: user_id });
    await createClientMerge(db, { merged_by: user_id });
    await createAssignmentBatch(db, { from_user_id: user_id });
    const client = await createClientRecord(db, { created_by: user_id });
    await createClientDataRequest(db, { client_id: client.id, created_by: user_id });
    await createClientExport(db, user_id);
    await createServiceToken(db, { created_by: user_id });
    await createIntegration(db, { created_by: user_id });
    await createQueue(db, { created_by: user_id });
    await createOnboardingLink(db, { created_by: user_id });
    await createAlertSilence(db, { owner_id: user_id });
    const threshold = await createAlertThreshold(db, { is_enabled: false });
    await createAlert(db, threshold, { status: 'resolved', resolved_at: fromNow(0), resolve_reason: 'recovered' });
  });
}

/** One that allows nothing, of everybody, so that whoever a path names has one. */
async function createModulePermissions(db: Kysely<CastellanSchema>): Promise<void> {
  await db
    .insertInto('user_agent_permissions')
    .columns(['tenant_id', 'user_id', 'agent_name'])
    .expression((eb) => eb.selectFrom('users').where('tenant_id', '=', defaultTenantId).select(['tenant_id', 'id', sql.lit(softwareModules[0]).as('agent_name')]))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** A configuration that was rolled out in the development environment. */
async function createRollout(db: Target, user_id: string): Promise<void> {
  const proposal = await createConfigProposal(db, { proposed_by: user_id });
  const { config_version, digest } = await createConfigVersion(db, { proposal_id: proposal.id });
  await createEnvironmentConfig(db, { stable_version: config_version, last_version: config_version });
  const ended = { status: 'succeeded', requested_by: user_id, ended_at: fromNow(0) } as const;
  await createDeployment(db, { proposal_id: proposal.id, config_version, digest, ...ended });
}

async function createTrackerRows(db: Target, user_id: string): Promise<void> {
  await createGoal(db, { user_id });
  await createActivity(db, { user_id });
  await createVacation(db, { user_id });
  await createFocusSession(db, { user_id });
  await createNudge(db, { user_id });
  await createMeeting(db, { user_id });
  const pipeline = await createPipeline(db);
  const stage = await createPipelineStage(db, { pipeline_id: pipeline.id });
  await createProspect(db, { user_id, pipeline_id: pipeline.id, stage_id: stage.id });
}
