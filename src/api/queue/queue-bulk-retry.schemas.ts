import { z } from 'zod';
import { maxClassLength } from '../../domain/queue/queue-bulk-retry.ts';
import { queueEventStates } from '../../domain/queue/queue.ts';
import { timestamp, reasonText, uuid } from '../../platform/value-schemas.ts';

/** The cap as a query parameter. */
export const capQuery = z.coerce
  .number()
  .int()
  .min(1)
  .max(5_000)
  .default(1_000)
  .describe('Maximum number of jobs to retry');

/** The name of an error class. */
export const errorClass = z.string().min(1).max(maxClassLength);

/** What a bulk retry is asked for with. */
export const BulkRetryRequest = z
  .strictObject({
    reason: reasonText,
    error_classes: z.array(errorClass).max(50).default([]).describe('As named by the preview; empty: all'),
    cap: z.int().min(1).max(5_000).default(1_000).describe('Maximum number of jobs to retry'),
    per_second: z.int().min(1).max(100).default(10).describe('Maximum number of jobs retried per second'),
    max_new_failure_ratio: z.number().min(0).max(1).default(0.5).describe('Share of settled jobs that may fail again'),
    min_samples: z.int().min(1).max(1_000).default(10).describe('Settled jobs before the share is checked'),
  })
  .meta({ id: 'BulkRetryRequest' });

/** Answer of the preview. */
export const BulkRetryPreviewBody = z
  .object({
    scanned: z.number().int().describe('Number of failed jobs that were read'),
    is_complete: z.boolean().describe('False: there are more, and the oldest ones were not read'),
    classes: z.array(
      z.object({
        error_class: z.string(),
        count: z.number().int().describe('Failed jobs of this class'),
        sample: z.string().describe('One of the messages, with secrets masked'),
        oldest_at: timestamp,
        newest_at: timestamp,
      }),
    ),
    would_retry: z.number().int().describe('Number of jobs that a bulk retry with this class and cap would retry'),
  })
  .meta({ id: 'BulkRetryPreview' });

const count = (what: string) => z.number().int().min(0).describe(what);

/** A bulk retry with its progress. */
export const BulkRetryBody = z
  .object({
    id: uuid,
    state: z.enum(queueEventStates).describe('`stopped`: too many of the retried jobs failed again'),
    reason: z.string().nullable(),
    error_classes: z.array(z.string()).describe('Empty: all'),
    cap: capQuery,
    per_second: z.number().describe('Maximum number of jobs retried per second'),
    max_new_failure_ratio: z.number().describe('Share of settled jobs that may fail again'),
    min_samples: z.number().int().describe('Settled jobs before the share is checked'),
    progress: z
      .object({
        selected: count('Jobs that were selected'),
        retried: count('Jobs that were retried'),
        skipped: count('Removed or changed before they could be retried'),
        completed: count('Retried and completed'),
        failed_again: count('Retried and failed again'),
        new_failure_ratio: z.number().nullable().describe('Share of settled jobs that failed again'),
      })
      .nullable()
      .describe('Null: it cannot be queried at the moment'),
    requested_by: uuid.nullable(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'BulkRetry' });
