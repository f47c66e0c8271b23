import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry';
import type { Env } from '../env.ts';
import type { Metrics } from '../observability/metrics.ts';
import { translateTemporalError } from './temporal-errors.ts';
import { createTemporalStatus } from './temporal-status.ts';
import type { TemporalStatus } from './temporal-status.ts';

const callDeadlineMs = 10_000;
const probeDeadlineMs = 1_500;
/** A waiting caller learns within two seconds that the server is unavailable; the SDK's default is ten. */
const connectTimeoutMs = 1_500;
/** Attempts of a call that somebody waits for; takes about half a second. */
const interactiveAttempts = 3;
/** After this long, and again in this interval, the connection of a pending call is probed. */
const probeIntervalMs = 1_000;
/** The shortest interval between pings that a Temporal server permits; a dead connection is replaced after that. */
const keepaliveMs = 10_000;
/** Pause between attempts to connect. By default it grows to two minutes, for which calls fail though the server is back. */
const reconnectMs = 1_000;

/** The one client to Temporal in a process. */
export interface TemporalClient {
  /**
   * Makes one call with a deadline and translates its errors. An error says nothing about what the server, or a worker, has
   * done or will do.
   *
   * @param untilMs the deadline, milliseconds since the epoch; ten seconds from now when left out.
   * @throws Problem with the code that the workflow gave, or `service.unavailable` when Temporal is unavailable.
   */
  call<Result>(work: (client: Client) => Promise<Result>, untilMs?: number): Promise<Result>;
  /** Whether server, namespace and a worker are there; bounded in time, and cheap enough for every probe. */
  status(): Promise<TemporalStatus>;
  /** The same for pages that people look at: at most ten seconds old. */
  recentStatus(): Promise<TemporalStatus>;
  /** Why the namespace cannot be used, in words; undefined when it can. Bounded in time. */
  namespaceProblem(): Promise<string | undefined>;
  /** For Schedules and operators' tools; request paths use {@link call}. */
  readonly client: Client;
  readonly taskQueue: string;
  close(): Promise<void>;
}

type TemporalSettings = Pick<
  Env,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE' | 'TEMPORAL_TASK_QUEUE' | 'TEMPORAL_TLS' | 'TEMPORAL_API_KEY'
>;

/** How calls are made, and what follows them. */
interface CallOptions {
  readonly maxAttempts?: number;
  readonly afterCall?: () => Promise<void>;
}

/**
 * Connects lazily, so that the API starts and serves reads while Temporal is unavailable.
 *
 * @param codec encrypts payloads when `TEMPORAL_PAYLOAD_KEYS` is set.
 * @param options.maxAttempts attempts of a call while the server is unavailable; few, unless nobody waits for the answer. With few
 *   attempts a call also fails within three seconds when the connection is half open, that is, when it accepts requests and
 *   never answers, as after a router has dropped its state.
 * @param options.afterCall awaited after each call, whatever its outcome.
 */
export function createTemporalClient(
  env: TemporalSettings,
  metrics: Metrics,
  codec: PayloadCodec | undefined,
  { maxAttempts = interactiveAttempts, afterCall = () => Promise.resolve() }: CallOptions = {},
): TemporalClient {
  const connection = Connection.lazy({
    address: env.TEMPORAL_ADDRESS,
    tls: env.TEMPORAL_TLS,
    connectTimeout: connectTimeoutMs,
    channelArgs: {
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': probeDeadlineMs,
      'grpc.initial_reconnect_backoff_ms': reconnectMs,
      'grpc.max_reconnect_backoff_ms': reconnectMs,
    },
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts }))],
    ...(env.TEMPORAL_API_KEY === undefined ? {} : { apiKey: env.TEMPORAL_API_KEY }),
  });
  const client = new Client({
    connection,
    namespace: env.TEMPORAL_NAMESPACE,
    ...(codec === undefined ? {} : { dataConverter: { payloadCodecs: [codec] } }),
    interceptors: { workflow: [new OpenTelemetryWorkflowClientInterceptor(), countingInterceptor(metrics)] },
  });
  return {
    client,
    taskQueue: env.TEMPORAL_TASK_QUEUE,
    call: async (work, untilMs = Date.now() + callDeadlineMs) => {
      const lost = new AbortController();
      const endWatch = maxAttempts > interactiveAttempts ? undefined : watchConnection(connection, () => lost.abort());
      try {
        return await connection.withAbortSignal(lost.signal, () =>
          connection.withDeadline(untilMs, () => work(client)),
        );
      } catch (error) {
        throw translateTemporalError(error);
      } finally {
        endWatch?.();
        await afterCall();
      }
    },
    ...createTemporalStatus(connection, { namespace: env.TEMPORAL_NAMESPACE, taskQueue: env.TEMPORAL_TASK_QUEUE }),
    close: () => connection.close(),
  };
}

/** Whether the server answers within a second and a half. */
async function answers(connection: Connection): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + probeDeadlineMs, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}

/**
 * Probes the server regularly while a call is pending. Some calls take long for good reason (an update waits for its
 * activity), so the duration alone says nothing about the connection.
 *
 * @returns a function that ends the watch.
 */
function watchConnection(connection: Connection, onLost: () => void): () => void {
  let isOver = false;
  let timer = setTimeout(probe, probeIntervalMs);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };

  function probe(): void {
    void answers(connection).then((isReachable) => {
      if (isOver) return;
      if (isReachable) timer = setTimeout(probe, probeIntervalMs);
      else onLost();
    });
  }
}

function countingInterceptor(metrics: Metrics): WorkflowClientInterceptor {
  return {
    startWithDetails: async (input, next) => {
      metrics.workflowStarts.inc({ workflow: input.workflowType });
      return next(input);
    },
    startUpdate: async (input, next) => {
      try {
        const output = await next(input);
        metrics.workflowUpdates.inc({ update: input.updateName, outcome: 'accepted' });
        return output;
      } catch (error) {
        metrics.workflowUpdates.inc({ update: input.updateName, outcome: 'refused' });
        throw error;
      }
    },
    startUpdateWithStart: async (input, next) => {
      metrics.workflowStarts.inc({ workflow: input.workflowType });
      metrics.workflowUpdates.inc({ update: input.updateName, outcome: 'accepted' });
      return next(input);
    },
  };
}
