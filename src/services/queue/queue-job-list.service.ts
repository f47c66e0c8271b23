import { z } from 'zod';
import { queueJobStates } from '../../domain/queue/queue.ts';
import type { QueueJobState } from '../../domain/queue/queue.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { EngineJob } from '../../platform/outbound/queue-provider.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { queueByName } from './queue.queries.ts';

/** Which page of a queue's jobs. */
interface JobListRequest {
  readonly state: QueueJobState;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/**
 * A page of the jobs of a queue in one state, not masked yet.
 *
 * @throws Problem 404, `request.cursor-invalid`, `queue.unsupported` for a state that the engine does not know, or
 *   `service.unavailable` when the engine is unavailable.
 */
export async function listQueueJobs(
  deps: Pick<ProcessDeps, 'db' | 'queues'>,
  actor: Actor,
  queueName: string,
  { state, limit, cursor }: JobListRequest,
): Promise<{ jobs: EngineJob[]; next_cursor: string | null }> {
  const from = parseJobCursor(cursor, state);
  const queue = await queueByName(deps, actor, queueName);
  const engine = deps.queues.of(queue.provider);
  if (!engine.states.includes(state)) {
    throw new Problem({
      code: 'queue.unsupported',
      detail: `Jobs of ${engine.name} have no state '${state}'.`,
      members: { job_states: [...engine.states] },
    });
  }
  const { jobs, next } = await engine.listJobs(queue, { state, from, limit });
  return { jobs, next_cursor: next === null ? null : encodeJobCursor(state, next) };
}

const jobCursor = z.tuple([z.enum(queueJobStates), z.string().max(400)]);

/** Our cursor holds the engine's own one and the state: it is valid for the list that gave it. */
function encodeJobCursor(state: QueueJobState, next: string): string {
  return Buffer.from(JSON.stringify([state, next])).toString('base64url');
}

function parseJobCursor(cursor: string | undefined, state: QueueJobState): string | null {
  if (cursor === undefined) return null;
  try {
    const [listed, from] = jobCursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (listed === state) return from;
  } catch {
    // Falls through to the same problem as for a cursor of another state.
  }
  throw new Problem({ code: 'request.cursor-invalid', detail: 'Start again without a cursor.' });
}
