import { sql } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { lockWritingSync } from './integration-sync.repository.ts';
import { changedNow } from './integration.repository.ts';

/** Records that one transaction marks or removes at most. */
const batch = 1_000;

/**
 * Processes one batch of the records that a sync has not seen. Only a pass that reached the end and could store every
 * record proves that a record is missing. What it misses is marked; what an earlier pass had marked already is removed:
 * pages that shift while they are read can hide a record from one pass, but hardly from two. A repetition processes nothing
 * twice, because marks of this pass are younger than the pass.
 *
 * @returns true when there may be more.
 */
export async function processMissingRecords(tx: Tx, jobId: string): Promise<boolean> {
  const job = await lockWritingSync(tx, jobId)
    .where('page_count', '>', 0)
    .where('cursor', 'is', null)
    .where('failed_count', '=', 0)
    .select(['integration_id', 'created_at'])
    .executeTakeFirst();
  if (job === undefined) return false;
  const unseen = tx.sql
    .selectFrom('integration_records')
    .where('integration_id', '=', job.integration_id)
    .where('seen_job_id', 'is distinct from', jobId)
    .limit(batch)
    .select('id');
  const removed = await tx.sql
    .deleteFrom('integration_records')
    .where('id', 'in', unseen.where('missing_since', '<', job.created_at))
    .returning('id')
    .execute();
  const marked = await tx.sql
    .updateTable('integration_records')
    .set({ missing_since: sql<string>`clock_timestamp()` })
    .where('id', 'in', unseen.where('missing_since', 'is', null))
    .returning('id')
    .execute();
  if (removed.length + marked.length > 0) {
    await tx.sql
      .updateTable('admin_sync_jobs')
      .set((eb) => ({
        missing_count: eb('missing_count', '+', marked.length),
        removed_count: eb('removed_count', '+', removed.length),
        updated_at: changedNow,
        version: nextVersion(),
      }))
      .where('id', '=', jobId)
      .execute();
  }
  return removed.length === batch || marked.length === batch;
}
