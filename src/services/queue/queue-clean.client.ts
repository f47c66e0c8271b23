import { z } from 'zod';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { startOnce } from '../../platform/temporal/start-once.ts';
import { queueCleanStartOptions, queueCleanWorkflowType } from '../../workflows/queue/queue-clean.contract.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { CommittedChange } from '../actions/action.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** The result of `queue.clean`; the id of the event is part of the workflow's id. */
const decidedClean = z.object({ queue_id: uuid, event_id: uuid });

/** The event of a committed `queue.clean`. */
export function cleanOf(result: JsonObject): { readonly queue_id: string; readonly event_id: string } {
  return decidedClean.parse(result);
}

/** Starts the cleaning that a committed `queue.clean` has decided; repeating the call starts nothing more. */
export async function startCommittedClean(
  { temporal }: Pick<ProcessDeps, 'temporal'>,
  { actor, result }: CommittedChange,
): Promise<void> {
  await startOnce(temporal, queueCleanWorkflowType, queueCleanStartOptions({ actor, ...cleanOf(result) }));
}
