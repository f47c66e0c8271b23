import { z } from 'zod';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { startOnce } from '../../platform/temporal/temporal-start.ts';
import { queueCleanStartOptions, queueCleanWorkflowType } from '../../workflows/queue/queue-clean.contract.ts';
import type { QueueCleanInput } from '../../workflows/queue/queue-clean.contract.ts';
import type { CommittedChange } from '../actions/action.ts';

/** Starts the workflow of a cleaning that is decided; one that was started before is left alone. */
export async function startClean({ temporal }: Pick<ProcessDeps, 'temporal'>, input: QueueCleanInput): Promise<void> {
  await startOnce(temporal, queueCleanWorkflowType, queueCleanStartOptions(input));
}

/** The result of the action `queue.clean`. */
const decidedClean = z.object({ queue_id: z.uuid(), event_id: z.uuid() });

/** The queue and the event of a committed `queue.clean`. */
export function cleanOf(result: JsonObject): z.output<typeof decidedClean> {
  return decidedClean.parse(result);
}

/** Starts the cleaning that a committed `queue.clean` has decided. */
export async function startCommittedClean(
  deps: Pick<ProcessDeps, 'temporal'>,
  { actor, result }: CommittedChange,
): Promise<void> {
  await startClean(deps, { actor, ...cleanOf(result) });
}
