import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry';
import type { Env } from './env.ts';
import type { Metrics } from './metrics.ts';
import { translateTemporalError } from './temporal-errors.ts';

const callDeadlineMs = 10_000;
const probeDeadlineMs = 1_500;
/** A caller who waits learns within two seconds that the server is away (goal 25); the SDK alone would try for ten. */
const connectTimeoutMs = 1_500;
/** Half a second: what a caller who waits has patience for. */
const hastyAttempts = 3;

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
 * @param maxAttempts how often a call is made that finds the server away; few, unless nobody waits for the answer.
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
      try {
        return await connection.withDeadline(Date.now() + callDeadlineMs, () => work(client));
      } catch (error) {
        throw translateTemporalError(error);
      }
    },
    isReachable: async () => {
      try {
        await connection.withDeadline(Date.now() + probeDeadlineMs, () =>
          connection.workflowService.getSystemInfo({}),
        );
        return true;
      } catch {
        return false;
      }
    },
    close: () => connection.close(),
  };
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
