import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import {
  queueCapabilities,
  queueEventKinds,
  queueEventStates,
  queueJobStates,
  queueProviderNames,
} from '../../domain/queue/queue.ts';
import { errorClassOf } from '../../domain/queue/queue-bulk-retry.ts';
import { maskedJobData, maskedText } from '../../domain/queue/queue-job-masking.ts';
import type { QueueRow } from '../../services/queue/queue.queries.ts';
import type { EngineJob, QueueProviders } from '../../platform/outbound/queue-provider.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

/** Name of a registered queue in a path. */
export const queueParams = z.object({ name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/) });

const count = (what: string) => z.number().int().min(0).describe(what);
const rate = (what: string) => z.number().min(0).describe(`${what} a minute, over the last five`);

const PauseBody = z
  .object({
    pause_id: uuid,
    state: z.enum(['pausing', 'paused']),
    reason: z.string(),
    paused_by: uuid.nullable(),
    paused_at: timestamp,
    paused_until: timestamp.describe('When the queue resumes automatically'),
  })
  .meta({ id: 'QueuePause' });

/** A registered queue. */
export const QueueBody = z
  .object({
    id: uuid,
    name: z.string(),
    provider: z.enum(queueProviderNames),
    source_name: z.string().describe('Name of the queue in its engine'),
    environment: z.enum(environmentNames),
    description: z.string(),
    capabilities: z.array(z.enum(queueCapabilities)).describe('Operations that the engine supports'),
    job_states: z.array(z.enum(queueJobStates)).describe('States of jobs in this engine'),
    pause: PauseBody.nullable().describe('The pause requested through this API; null when there is none'),
    created_at: timestamp,
  })
  .meta({ id: 'Queue' });

const LiveBody = z
  .object({
    counts: z.partialRecord(z.enum(queueJobStates), count('Jobs in this state')),
    is_paused: z.boolean().describe('State in the engine, whoever paused it'),
    workers: count('Connected workers'),
    oldest_waiting_seconds: count('Age of the oldest waiting job').nullable(),
    backlog: count('Tasks not yet taken by a worker, of all tenants').nullable(),
  })
  .meta({ id: 'QueueLive' });

export const QueueItem = QueueBody.extend({
  live: LiveBody.nullable().describe('Null: the engine cannot be reached'),
}).meta({ id: 'QueueItem' });

export const QueueDetail = QueueBody.extend({
  live: LiveBody,
  rates: z.object({
    completed_per_minute: rate('Jobs completed'),
    failed_per_minute: rate('Jobs failed'),
    source: z.enum(['engine', 'kept_jobs']).describe('`kept_jobs`: counted from stored finished jobs'),
  }),
}).meta({ id: 'QueueDetail' });

export const JobBody = z
  .object({
    job_id: z.string(),
    name: z.string(),
    state: z.enum(queueJobStates),
    data: z.unknown().describe('Secrets are masked'),
    attempts_made: count('Attempts so far'),
    max_attempts: count('Attempts before it counts as failed').nullable(),
    created_at: timestamp,
    due_at: timestamp.nullable().describe('When a delayed job is due'),
    processed_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    failure: z.object({ error_class: z.string(), reason: z.string().describe('Secrets are masked') }).nullable(),
  })
  .meta({ id: 'QueueJob' });

export const QueueEventBody = z
  .object({
    id: uuid,
    queue_id: uuid,
    kind: z.enum(queueEventKinds),
    state: z.enum(queueEventStates),
    job_id: z.string().nullable(),
    reason: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    requested_by: uuid.nullable().describe('Null: by the system'),
    approval_id: uuid.nullable(),
    created_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'QueueEvent' });

/** Presents a registered queue, without the live state that only its engine knows. */
export function presentQueue(queues: QueueProviders, row: QueueRow) {
  const { pause_id, pause_state, pause_reason, paused_by, paused_at, paused_until, ...queue } = row;
  const { capabilities, states } = queues.of(row.provider);
  return {
    ...queue,
    capabilities: [...capabilities],
    job_states: [...states],
    pause:
      pause_id === null
        ? null
        : { pause_id, state: pause_state, reason: pause_reason, paused_by, paused_at, paused_until },
  };
}

/** Presents a job with secrets masked (S2-58). */
export function presentJob({ failure, data, ...job }: EngineJob) {
  const at = (time: number | null) => (time === null ? null : new Date(time).toISOString());
  return {
    ...job,
    data: maskedJobData(data),
    created_at: at(job.created_at),
    due_at: at(job.due_at),
    processed_at: at(job.processed_at),
    finished_at: at(job.finished_at),
    failure: failure === null ? null : { error_class: errorClassOf(failure), reason: maskedText(failure.reason) },
  };
}
