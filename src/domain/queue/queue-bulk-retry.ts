import { maskedText } from './queue-job-masking.ts';

/** The class of a failure: the name of the error and its text without the parts that differ from job to job. */
export function errorClassOf(failure: { readonly reason: string; readonly stack?: string | undefined }): string {
  // The first line of a stack may hold anything, secrets too; the rest of it names places in code.
  const [title = ''] = (failure.stack ?? '').split('\n', 1);
  const [, name = 'Error'] = /^([A-Za-z_$][\w$.]*):/.exec(maskedText(title)) ?? [];
  const [firstLine = ''] = maskedText(failure.reason).split('\n');
  const text = firstLine
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<id>')
    .replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, '<text>')
    .replaceAll(/\d+/g, '<n>')
    .trim();
  return `${name}: ${text}`.slice(0, maxClassLength);
}

/** The longest name of an error class, in characters. */
export const maxClassLength = 160;

/** A failed job, as far as preview and selection need it. */
export interface FailedJob {
  readonly job_id: string;
  readonly error_class: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly failed_at: number;
}

/** Failures of one class. */
interface ErrorClassCount {
  readonly error_class: string;
  readonly count: number;
  readonly sample: string;
  readonly oldest_at: string;
  readonly newest_at: string;
}

/** Counts failures by class, the largest class first. */
export function countByErrorClass(jobs: readonly FailedJob[]): ErrorClassCount[] {
  const classes = Map.groupBy(jobs, ({ error_class }) => error_class);
  return [...classes]
    .map(([error_class, members]) => {
      const times = members.map(({ failed_at }) => failed_at);
      return {
        error_class,
        count: members.length,
        sample: maskedText(members[0]?.reason ?? ''),
        oldest_at: new Date(Math.min(...times)).toISOString(),
        newest_at: new Date(Math.max(...times)).toISOString(),
      };
    })
    .sort((left, right) => right.count - left.count || left.error_class.localeCompare(right.error_class));
}

/** Selects the failures that a bulk retry covers: of these classes (all when none is named), oldest first, up to the cap. */
export function selectForRetry<Job extends FailedJob>(
  jobs: readonly Job[],
  { error_classes, cap }: { readonly error_classes: readonly string[]; readonly cap: number },
): Job[] {
  const wanted = new Set(error_classes);
  return jobs
    .filter(({ error_class }) => wanted.size === 0 || wanted.has(error_class))
    .sort((left, right) => left.failed_at - right.failed_at || left.job_id.localeCompare(right.job_id))
    .slice(0, cap);
}
