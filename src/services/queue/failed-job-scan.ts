import { errorClassOf } from '../../domain/queue/queue-bulk-retry.ts';
import type { FailedJob } from '../../domain/queue/queue-bulk-retry.ts';
import type { QueueProvider, QueueSource } from '../../platform/outbound/queue-provider.ts';

/** The number of failed jobs that a preview or a selection reads at most. */
const maxScannedFailures = 10_000;
const pageSize = 500;

/** Failed jobs with their error classes, newest first. */
interface FailureScan {
  readonly jobs: FailedJob[];
  /** False when there are more than {@link maxScannedFailures}: the oldest ones are not among them. */
  readonly is_complete: boolean;
}

/**
 * Reads the failed jobs of a queue, page by page.
 *
 * @param onPage called after each page, for heartbeats.
 */
export async function scanFailedJobs(
  provider: QueueProvider,
  source: QueueSource,
  onPage: () => void = () => undefined,
): Promise<FailureScan> {
  const jobs = new Map<string, FailedJob>();
  let from: string | null = null;
  do {
    const page = await provider.listJobs(source, { state: 'failed', from, limit: pageSize });
    for (const { job_id, failure, finished_at } of page.jobs) {
      const known = failure ?? { reason: '' };
      jobs.set(job_id, { job_id, reason: known.reason, failed_at: finished_at ?? 0, error_class: errorClassOf(known) });
    }
    from = page.next;
    onPage();
  } while (from !== null && jobs.size < maxScannedFailures);
  return { jobs: [...jobs.values()], is_complete: from === null };
}
