import { isGrpcServiceError } from '@temporalio/client';
import type { ConnectionLike } from '@temporalio/client';

/** Whether Temporal can be used and somebody works for it, as far as a process can ask from outside. */
export interface TemporalStatus {
  /** `up`: the server answers and has our namespace. */
  readonly temporal: 'up' | 'down';
  /** `up`: workflow and activity tasks of our queue are polled for; `unknown`: that could not be asked. */
  readonly worker: 'up' | 'down' | 'unknown';
  /** What is missing, in words; empty when nothing is. Without names and addresses, because readiness is public. */
  readonly missing: readonly string[];
}

/** Where a process works. */
interface TemporalPlace {
  readonly namespace: string;
  readonly taskQueue: string;
}

/** Probes come from load balancers, containers and people at once; each question has an answer within this time. */
const answerTimeoutMs = 1_500;
/** Pollers come and go with deployments, not with requests. */
const pollersMaxAgeMs = 5_000;
/** What people look at may be a little older, so that a page costs no call to Temporal. */
const recentMaxAgeMs = 10_000;
/**
 * A poll lasts a minute at most, and the server lists its caller for five minutes after the last one. The time between
 * the two allows for a slow answer and for clocks that differ a little.
 */
const pollerSeenWithinMs = 90_000;

/** Values of Temporal's `TaskQueueType`: workflow tasks and activity tasks are queued separately. */
export const taskQueueTypes = { workflow: 1, activity: 2 } as const;

/** gRPC: NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED. */
const notFound = 5;
const deniedCodes: readonly number[] = [7, 16];
/** Value of Temporal's `NamespaceState`: it is being deleted and takes nothing any more. */
const namespaceDeleted = 3;

/** A poller as Temporal lists it. */
interface Poller {
  readonly lastAccessTime?: { readonly seconds?: unknown } | null;
}

/** Whether a listed poller may still be there: Temporal lists those of a killed worker for five minutes. */
export function isPollerAlive({ lastAccessTime }: Poller, now = Date.now()): boolean {
  return Number(lastAccessTime?.seconds ?? 0) * 1_000 > now - pollerSeenWithinMs;
}

/**
 * Makes the questions that a process asks about its Temporal. None throws; who asks while the same question is under way
 * shares its answer.
 */
export function createTemporalStatus(connection: ConnectionLike, place: TemporalPlace) {
  const namespaceProblem = shared(() => askForNamespace(connection, place.namespace), 0);
  const worker = shared(() => askForPollers(connection, place), pollersMaxAgeMs);
  const status = async (): Promise<TemporalStatus> => {
    const problem = await namespaceProblem();
    if (problem !== undefined) return { temporal: 'down', worker: 'unknown', missing: [problem] };
    return { temporal: 'up', ...(await worker()) };
  };
  return {
    /** Why the namespace cannot be used, in words; undefined when it can. */
    namespaceProblem,
    /** State of Temporal and, at most five seconds old, of the pollers. */
    status,
    /** The same, at most ten seconds old. */
    recentStatus: shared(status, recentMaxAgeMs),
  };
}

async function askForNamespace(connection: ConnectionLike, namespace: string): Promise<string | undefined> {
  try {
    const { namespaceInfo } = await connection.withDeadline(Date.now() + answerTimeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return namespaceInfo?.state === namespaceDeleted ? 'namespace missing' : undefined;
  } catch (error) {
    if (!isGrpcServiceError(error)) return 'temporal unreachable';
    if (error.code === notFound) return 'namespace missing';
    return deniedCodes.includes(error.code) ? 'temporal denies access' : 'temporal unreachable';
  }
}

async function askForPollers(
  connection: ConnectionLike,
  { namespace, taskQueue }: TemporalPlace,
): Promise<Omit<TemporalStatus, 'temporal'>> {
  try {
    const unpolled = await connection.withDeadline(Date.now() + answerTimeoutMs, () =>
      Promise.all(
        Object.entries(taskQueueTypes).map(async ([name, taskQueueType]) => {
          const { pollers } = await connection.workflowService.describeTaskQueue({
            namespace,
            taskQueue: { name: taskQueue },
            taskQueueType,
          });
          return (pollers ?? []).some((poller) => isPollerAlive(poller)) ? [] : [name];
        }),
      ),
    );
    const [first, second] = unpolled.flat();
    if (first === undefined) return { worker: 'up', missing: [] };
    return { worker: 'down', missing: [second === undefined ? `no worker polls for ${first} tasks` : 'no worker polls'] };
  } catch {
    return { worker: 'unknown', missing: ['pollers unknown'] };
  }
}

/** Shares one running call among all who ask meanwhile, and its result for `maxAgeMs` among those who ask later. */
function shared<Value>(work: () => Promise<Value>, maxAgeMs: number): () => Promise<Value> {
  let running: Promise<Value> | undefined;
  let kept: { readonly value: Value; readonly until: number } | undefined;
  return () => {
    if (kept !== undefined && performance.now() < kept.until) return Promise.resolve(kept.value);
    running ??= work()
      .then((value) => {
        kept = { value, until: performance.now() + maxAgeMs };
        return value;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}
