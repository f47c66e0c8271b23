import type { SyncJobView } from '../../domain/integration/integration-sync.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/** Columns of {@link SyncJobView}. */
export const syncJobColumns = [
  'id',
  'integration_id',
  'trigger',
  'requested_by',
  'status',
  'created_count',
  'updated_count',
  'unchanged_count',
  'failed_count',
  'missing_count',
  'removed_count',
  'page_count',
  'failures',
  'error_code',
  'error_detail',
  'created_at',
  'ended_at',
] as const;

/** The syncs of an integration, for a page. */
export const syncJobsQuery = (integrationId: string) =>
  kysely.selectFrom('admin_sync_jobs').where('integration_id', '=', integrationId).select(syncJobColumns);

/** One sync of an integration. @throws Problem 404. */
export async function findSyncJob(
  db: ReadSource,
  scope: ReadScope,
  integrationId: string,
  jobId: string,
): Promise<SyncJobView> {
  const [job] = await read(db, scope, syncJobsQuery(integrationId).where('id', '=', jobId));
  if (job === undefined) throw notFound('sync job');
  return job;
}
