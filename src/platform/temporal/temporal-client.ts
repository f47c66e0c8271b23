import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry';
import type { Env } from '../env.ts';
import type { Metrics } from '../observability/metrics.ts';
import { translateTemporalError } from './temporal-errors.ts';

const callDeadlineMs = 10_000;
const probeDeadlineMs = 1_500;
/** A caller who waits learns within two seconds that the server is away; the SDK alone would try for ten. */
const connectTimeoutMs = 1_500;
/** Half a second: what a caller who waits has patience for. */
const hastyAttempts = 3;
/** A call that takes longer makes us ask whether the server is still there. */
const suspicionMs = 1_000;
/** Ten seconds is the least that a Temporal server allows between pings; a dead connection is replaced after that. */
const keepaliveMs = 10_000;

/** The one client to Temporal in a process. */
export interface TemporalClient {
  /**
   * Makes one call with a deadline and translates what goes wrong.
   *
   * @throws Problem with the code the workflow gave, or `service.unavailable` when Temporal is away.
   */
  call<Result>(work: (client: Client) => Promise<Result>): Promise<Result>;
  /** True when the server answers within a second and a half. */
  isReachable(): Promise<boolean>;
  /** For schedules and operators' tools; prefer {@link call} on a request path. */
  readonly client: Client;
  readonly taskQueue: string;
  close(): Promise<void>;
}

type TemporalSettings = Pick<
  Env,
  'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE' | 'TEMPORAL_TASK_QUEUE' | 'TEMPORAL_TLS' | 'TEMPORAL_API_KEY'
>;

/**
 * Connects lazily, so that the API starts and serves reads while Temporal is away.
 *
 * @param codec encrypts payloads when `TEMPORAL_PAYLOAD_KEYS` is set.
 * @param maxAttempts how often a call is made that finds the server away; few, unless nobody waits for the answer. A caller
 *   who waits is also told within three seconds when the connection is half open: it takes requests and answers nothing,
 *   as after a router has forgotten it.
 */
export function createTemporalClient(
  env: TemporalSettings,
  metrics: Metrics,
  codec: PayloadCodec | undefined,
  { maxAttempts = hastyAttempts }: { maxAttempts?: number } = {},
): TemporalClient {
  const connection = Connection.lazy({
    address: env.TEMPORAL_ADDRESS,
    tls: env.TEMPORAL_TLS,
    connectTimeout: connectTimeoutMs,
    channelArgs: { 'grpc.keepalive_time_ms': keepaliveMs, 'grpc.keepalive_timeout_ms': probeDeadlineMs },
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
    call: async (work) => {
      const lost = new AbortController();
      const endWatch = maxAttempts > hastyAttempts ? undefined : watchConnection(connection, () => lost.abort());
      try {
        return await connection.withAbortSignal(lost.signal, () =>
          connection.withDeadline(Date.now() + callDeadlineMs, () => work(client)),
        );
      } catch (error) {
        throw translateTemporalError(error);
      } finally {
        endWatch?.();
      }
    },
    isReachable: () => answers(connection),
    close: () => connection.close(),
  };
}

/** Whether the server says anything within a second and a half. */
async function answers(connection: Connection): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + probeDeadlineMs, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks the server from time to time for a sign of life while a call is under way. Some calls rightly take long (an update
 * waits for its activity), so how long it has taken says nothing about the connection.
 *
 * @returns what ends the watch.
 */
function watchConnection(connection: Connection, onLost: () => void): () => void {
  let isOver = false;
  let timer = setTimeout(look, suspicionMs);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };

  function look(): void {
    void answers(connection).then((isThere) => {
      if (isOver) return;
      if (isThere) timer = setTimeout(look, suspicionMs);
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
