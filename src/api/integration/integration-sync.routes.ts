import { z } from 'zod';
import { syncJobColumns } from '../../services/integration/integration-sync.service.ts';
import type { SyncJobView } from '../../domain/integration/integration-sync.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { cancelSync, startSync } from '../../services/integration/integration.client.ts';
import { integrationOfList, assertIntegrationListed } from '../../services/integration/integration.queries.ts';
import { SyncJobBody } from './integration.schemas.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

const tag = 'integration';
const jobParams = z.object({ id: z.uuid(), jobId: z.uuid() });

const triggerManualSync = route({
  operationId: 'triggerManualSync',
  method: 'post',
  path: '/admin/integrations/:id/sync',
  tag,
  summary: 'Fetch the records of an integration now, or join the sync that runs',
  description:
    'Answers with the operation; its end state counts what was created, updated and failed. Follow it at `Location`.',
  permission: 'integration:sync',
  gate: 'none',
  params: idParams,
  responses: { 202: SyncJobBody },
  problems: ['resource.not-found', 'integration.not-syncable', 'service.unavailable'],
  handler: async ({ params, actor, deps, read }) => {
    const [known] = await read(
      query.selectFrom('admin_integrations').where('id', '=', params.id).where('deleted_at', 'is', null).select('id'),
    );
    if (known === undefined) throw notFound('integration');
    const jobId = await startSync(deps, actor, params.id);
    const location = `/admin/integrations/${params.id}/sync-jobs/${jobId}`;
    return reply(202, await requireJob(read, params.id, jobId), { location });
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
      query
        .selectFrom('admin_sync_jobs')
        .where('integration_id', '=', params.id)
        .$call(newestFirst({ limit, cursor }))
        .select(syncJobColumns),
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
  handler: ({ params, read }) => requireJob(read, params.id, params.jobId),
});

const cancelSyncJob = route({
  operationId: 'cancelSyncJob',
  method: 'post',
  path: '/admin/integrations/:id/sync-jobs/:jobId/cancel',
  tag,
  summary: 'Stop a sync; what was written stays',
  permission: 'integration:sync',
  gate: 'none',
  params: jobParams,
  responses: { 200: SyncJobBody },
  problems: ['resource.not-found', 'integration.sync-ended', 'service.unavailable'],
  handler: async ({ params, actor, deps, read }) => {
    const { status } = await requireJob(read, params.id, params.jobId);
    if (status !== 'running') {
      throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.', members: { status } });
    }
    await cancelSync(deps, actor, params.id, params.jobId);
    return requireJob(read, params.id, params.jobId);
  },
});

type Read = HandlerContext<unknown, unknown, unknown>['read'];

async function requireJob(read: Read, integrationId: string, jobId: string): Promise<SyncJobView> {
  const [job] = await read(
    query
      .selectFrom('admin_sync_jobs')
      .where('id', '=', jobId)
      .where('integration_id', '=', integrationId)
      .select(syncJobColumns),
  );
  if (job === undefined) throw notFound('sync job');
  return job;
}

/** Syncs of integrations: S2-19, S2-22. */
export const integrationSyncRoutes = [triggerManualSync, getSyncJobHistory, getSyncJob, cancelSyncJob];
