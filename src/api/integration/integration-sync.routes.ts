import { z } from 'zod';
import type { SyncJobView } from '../../domain/integration/integration-sync.ts';
import { readAll } from '../../platform/database/read.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams, uuid } from '../../platform/value-schemas.ts';
import { assertIntegrationListed, integrationOfList } from '../../services/integration/integration.queries.ts';
import { awaitSyncEnd, cancelSyncJob, triggerSync } from '../../services/integration/integration-sync.service.ts';
import { findSyncJob, syncJobsQuery } from '../../services/integration/integration-sync.queries.ts';
import { reply, route } from '../http/route.ts';
import { SyncJobBody } from './integration.schemas.ts';

const tag = 'integration';
const jobParams = z.object({ id: uuid, jobId: uuid });

/** What a command has stored is the job, or the id of the one that was joined. */
function jobIdOf(stored: unknown): string {
  return typeof stored === 'string' ? stored : (stored as SyncJobView).id;
}

const triggerManualSync = route({
  operationId: 'triggerManualSync',
  method: 'post',
  path: '/admin/integrations/:id/sync',
  tag,
  summary: 'Start a sync of an integration, or join the running one',
  description:
    'Returns the operation; its final state counts created, updated and failed records. Poll it at `Location`.',
  permission: 'integration:sync',
  gate: 'none',
  params: idParams,
  responses: { 202: SyncJobBody },
  problems: ['resource.not-found', 'integration.not-syncable', 'integration.quarantined', 'service.unavailable'],
  handler: async ({ params, actor, deps, throughWorkflow }) => {
    const jobId = await throughWorkflow((command) => triggerSync(deps, actor, params.id, command), jobIdOf);
    const job = await findSyncJob(deps.db, actor, params.id, jobId);
    return reply(202, job, { location: `/admin/integrations/${params.id}/sync-jobs/${job.id}` });
  },
});

const getSyncJobHistory = route({
  operationId: 'getSyncJobHistory',
  method: 'get',
  path: '/admin/integrations/:id/sync-jobs',
  tag,
  summary: 'Syncs of an integration, newest first',
  permission: 'integration:read',
  gate: 'none',
  params: idParams,
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(SyncJobBody) },
  problems: ['request.cursor-invalid', 'resource.not-found'],
  handler: async ({ params, query: { limit, cursor }, deps, scope }) => {
    const [integration, rows] = await readAll(deps.db, scope, [
      integrationOfList(params.id),
      syncJobsQuery(params.id).$call(newestFirst({ limit, cursor })),
    ]);
    assertIntegrationListed(integration);
    return newestPage(rows, limit);
  },
});

const getSyncJob = route({
  operationId: 'getSyncJob',
  method: 'get',
  path: '/admin/integrations/:id/sync-jobs/:jobId',
  tag,
  summary: 'One sync, with its counts so far',
  permission: 'integration:read',
  gate: 'none',
  params: jobParams,
  responses: { 200: SyncJobBody },
  problems: ['resource.not-found'],
  handler: ({ params, deps, scope }) => findSyncJob(deps.db, scope, params.id, params.jobId),
});

const cancelSyncJobRoute = route({
  operationId: 'cancelSyncJob',
  method: 'post',
  path: '/admin/integrations/:id/sync-jobs/:jobId/cancel',
  tag,
  summary: 'Cancel a sync; records that were written remain',
  permission: 'integration:sync',
  gate: 'none',
  params: jobParams,
  responses: { 200: SyncJobBody },
  problems: ['resource.not-found', 'integration.sync-ended', 'service.unavailable'],
  handler: async ({ params: { id, jobId }, actor, deps, throughWorkflow }) => {
    const sync = { integration_id: id, job_id: jobId };
    await throughWorkflow(
      (command) => cancelSyncJob(deps, actor, sync, command),
      () => awaitSyncEnd(deps, actor, sync),
    );
    return findSyncJob(deps.db, actor, id, jobId);
  },
});

/** Syncs of integrations: S2-19, S2-22. */
export const integrationSyncRoutes = [triggerManualSync, getSyncJobHistory, getSyncJob, cancelSyncJobRoute];
