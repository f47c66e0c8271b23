import { sql } from 'kysely';
import { isPulled } from '../../domain/integration/integration.ts';
import type { PulledConfig, SyncStatus, SyncTrigger } from '../../domain/integration/integration.ts';
import type { SyncEnd, SyncJobView } from '../../domain/integration/integration-sync.ts';
import type { RemotePage, RemoteRecord } from '../../domain/integration/integration-records.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { assertNotQuarantined } from './integration-quarantine.service.ts';
import { changedNow, lockIntegration } from './integration.repository.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { syncJobColumns } from './integration-sync.queries.ts';

/** Records that could not be stored: this many are named, the rest only counted. */
const maxNamedFailures = 20;

/**
 * Opens a sync job. Only the integration's workflow does this, and one runs at a time, so a job that is still `running`
 * belongs to a workflow that was terminated: it is closed as failed.
 *
 * @throws Problem 404, `integration.quarantined`, or `integration.not-syncable` for one that is switched off or sends by itself.
 */
export async function openSyncJob(
  tx: Tx,
  { job_id, integration_id, trigger }: { job_id: string; integration_id: string; trigger: SyncTrigger },
): Promise<SyncJobView> {
  const integration = await lockIntegration(tx, integration_id);
  const opened = await findJob(tx, job_id);
  if (opened !== undefined) return opened;
  assertNotQuarantined(integration);
  if (!integration.is_enabled || !isPulled(integration.config)) {
    throw new Problem({
      code: 'integration.not-syncable',
      detail: integration.is_enabled ? 'A webhook source cannot be synced.' : 'The integration is disabled.',
    });
  }
  const orphan = await tx.sql
    .selectFrom('admin_sync_jobs')
    .where('integration_id', '=', integration_id)
    .where('status', '=', 'running')
    .select('id')
    .executeTakeFirst();
  if (orphan !== undefined) {
    await endSyncJob(tx, orphan.id, { status: 'failed', error_code: 'abandoned', error_detail: 'Its workflow was ended.' });
  }
  const job = await tx.sql
    .insertInto('admin_sync_jobs')
    .values({ id: job_id, tenant_id: tx.actor.tenant_id, integration_id, trigger, requested_by: tx.actor.user_id })
    .returning(syncJobColumns)
    .executeTakeFirstOrThrow();
  await recordOutcome(tx, job);
  tx.audit({
    event: 'integration.sync-begin',
    action: 'create',
    resource_type: 'integration',
    resource_id: integration_id,
    new_values: { job_id, trigger },
  });
  return job;
}

/**
 * Records that a sync was cancelled, and by whom. From the commit on it writes nothing more, whether or not its workflow is told.
 *
 * @throws Problem `integration.sync-ended`.
 */
export async function recordSyncCancel(
  tx: Tx,
  { job_id, integration_id }: { job_id: string; integration_id: string },
): Promise<void> {
  const cancelled = await tx.sql
    .updateTable('admin_sync_jobs')
    .set({ cancel_requested_at: sql<string>`coalesce(cancel_requested_at, clock_timestamp())`, updated_at: changedNow, version: nextVersion() })
    .where('id', '=', job_id)
    .where('status', '=', 'running')
    .returning('id')
    .executeTakeFirst();
  if (cancelled === undefined) throw new Problem({ code: 'integration.sync-ended', detail: 'This sync has ended.' });
  tx.audit({
    event: 'integration.sync-cancel',
    action: 'update',
    resource_type: 'integration',
    resource_id: integration_id,
    new_values: { job_id },
  });
}

/** What a worker needs to continue a sync where the last one stopped. */
export interface SyncPosition {
  readonly integration_id: string;
  readonly config: PulledConfig;
  readonly secret_ciphertext: string;
  readonly cursor: string | null;
  readonly page_count: number;
  readonly strikes: number;
  readonly quarantined_at: string | null;
}

/** The position of a running sync; null when it has ended or was cancelled. */
export async function syncPosition(tx: Tx, jobId: string): Promise<SyncPosition | null> {
  const row = await tx.sql
    .selectFrom('admin_sync_jobs as j')
    .innerJoin('admin_integrations as i', 'i.id', 'j.integration_id')
    .where('j.id', '=', jobId)
    .where('j.status', '=', 'running')
    .where('j.cancel_requested_at', 'is', null)
    .where('i.deleted_at', 'is', null)
    .select(['j.integration_id', 'j.cursor', 'j.page_count', 'i.config', 'i.secret_ciphertext', 'i.strikes', 'i.quarantined_at'])
    .executeTakeFirst();
  if (row === undefined) return null;
  const { config, ...rest } = row;
  return isPulled(config) ? { ...rest, config } : null;
}

/**
 * The row of a sync that may write, locked: it runs and was not cancelled. A cancellation waits for the lock, so it is
 * answered when the last write of the sync has been committed.
 */
export function lockWritingSync(tx: Tx, jobId: string) {
  return tx.sql
    .selectFrom('admin_sync_jobs')
    .where('id', '=', jobId)
    .where('status', '=', 'running')
    .where('cancel_requested_at', 'is', null)
    .forNoKeyUpdate();
}

/**
 * Writes one page, its counts and the cursor of the next page in one transaction: a page that is fetched twice is counted
 * once.
 *
 * @param pageCount how many pages were written before this one.
 * @returns false when the sync has ended or was cancelled, or another worker has written this page; then nothing is written.
 */
export async function writeSyncPage(tx: Tx, jobId: string, pageCount: number, page: RemotePage): Promise<boolean> {
  const job = await lockWritingSync(tx, jobId)
    .where('page_count', '=', pageCount)
    .select(['integration_id', 'failures'])
    .executeTakeFirst();
  if (job === undefined) return false;
  const { created, updated } = await upsertRecords(tx, job.integration_id, jobId, page.records);
  const named = [...job.failures, ...page.failures].slice(0, maxNamedFailures);
  await tx.sql
    .updateTable('admin_sync_jobs')
    .set((eb) => ({
      created_count: eb('created_count', '+', created),
      updated_count: eb('updated_count', '+', updated),
      unchanged_count: eb('unchanged_count', '+', page.records.length - created - updated),
      failed_count: eb('failed_count', '+', page.failures.length),
      page_count: pageCount + 1,
      cursor: page.next_cursor,
      failures: jsonb(named),
      updated_at: changedNow,
      version: nextVersion(),
    }))
    .where('id', '=', jobId)
    .execute();
  return true;
}

/** Writes records that are new or have changed. @returns how many of each there were. */
export async function upsertRecords(
  tx: Tx,
  integrationId: string,
  jobId: string | null,
  records: readonly RemoteRecord[],
): Promise<{ created: number; updated: number }> {
  if (records.length === 0) return { created: 0, updated: 0 };
  const rows = records.map(({ external_id, payload }) => ({ external_id, payload, digest: payloadDigest(payload) }));
  const differs = sql`known.payload_digest <> excluded.payload_digest`;
  // Unchanged records are marked as seen too: those that no sync sees any more were deleted in the remote system.
  const { rows: written } = await sql<{ outcome: 'created' | 'updated' | 'unchanged' }>`
    insert into integration_records as known
      (tenant_id, integration_id, external_id, payload_digest, payload, sync_job_id, seen_job_id)
    select ${tx.actor.tenant_id}::uuid, ${integrationId}::uuid, r.external_id, r.digest, r.payload, ${jobId}::uuid,
      ${jobId}::uuid
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (external_id text, payload jsonb, digest text)
    order by r.external_id
    on conflict (tenant_id, integration_id, external_id) do update
      set payload = case when ${differs} then excluded.payload else known.payload end,
        payload_digest = excluded.payload_digest,
        sync_job_id = case when ${differs} then excluded.sync_job_id else known.sync_job_id end,
        updated_at = case when ${differs} then clock_timestamp() else known.updated_at end,
        seen_job_id = excluded.seen_job_id,
        missing_since = null
      where ${differs} or known.seen_job_id is distinct from excluded.seen_job_id
    returning case when old.id is null then 'created'
      when old.payload_digest <> new.payload_digest then 'updated' else 'unchanged' end as outcome`.execute(tx.sql);
  const countOf = (wanted: string) => written.filter(({ outcome }) => outcome === wanted).length;
  return { created: countOf('created'), updated: countOf('updated') };
}

/**
 * Closes a sync and audits its result; one that is closed already stays as it is. One that was cancelled has not succeeded,
 * whether or not its workflow was told.
 *
 * @throws Problem 404.
 */
export async function endSyncJob(tx: Tx, jobId: string, end: SyncEnd): Promise<SyncJobView> {
  const { error_code, error_detail } = end.status === 'failed' ? end : { error_code: null, error_detail: null };
  const job = await tx.sql
    .updateTable('admin_sync_jobs')
    .set({
      status:
        end.status === 'succeeded'
          ? sql<SyncStatus>`case when cancel_requested_at is not null then 'cancelled'
              when failed_count = 0 then 'succeeded' else 'completed_with_failures' end`
          : end.status,
      error_code,
      error_detail: error_detail?.slice(0, 500) ?? null,
      ended_at: changedNow,
      updated_at: changedNow,
      version: nextVersion(),
    })
    .where('id', '=', jobId)
    .where('status', '=', 'running')
    .returning(syncJobColumns)
    .executeTakeFirst();
  if (job === undefined) {
    const closed = await findJob(tx, jobId);
    if (closed === undefined) throw notFound('sync job');
    return closed;
  }
  await recordOutcome(tx, job);
  const { failures: _failures, ...audited } = job;
  tx.audit({
    event: 'integration.sync-end',
    action: 'update',
    resource_type: 'integration',
    resource_id: job.integration_id,
    outcome: job.status === 'failed' ? 'failed' : 'success',
    ...(job.error_code === null ? {} : { reason: job.error_code }),
    new_values: audited,
  });
  return job;
}

/** Copies the status to the integration, for lists. The version stays, because nobody has edited the integration. */
async function recordOutcome(tx: Tx, { integration_id, status }: SyncJobView): Promise<void> {
  await tx.sql
    .updateTable('admin_integrations')
    .set({ last_sync_status: status, last_sync_at: changedNow })
    .where('id', '=', integration_id)
    .execute();
}

function findJob(tx: Tx, id: string): Promise<SyncJobView | undefined> {
  return tx.sql.selectFrom('admin_sync_jobs').where('id', '=', id).select(syncJobColumns).executeTakeFirst();
}
