import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import {
  OpenTelemetryActivityInboundInterceptor,
  makeWorkflowExporter,
} from '@temporalio/interceptors-opentelemetry';
import { NativeConnection, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import type { WorkerDeploymentOptions, WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/index.ts';
import type { ActivityDeps } from './activities/deps.ts';
import { entities } from './entities/index.ts';
import { openDatabase } from './platform/database/database.ts';
import type { Database } from './platform/database/database.ts';
import { loadEnv } from './platform/env.ts';
import type { Env } from './platform/env.ts';
import { createKeyring, parseKeyList } from './platform/security/keyring.ts';
import { createLogger } from './platform/observability/logger.ts';
import type { Logger } from './platform/observability/logger.ts';
import { createMailer } from './platform/outbound/mailer.ts';
import { createMetrics } from './platform/observability/metrics.ts';
import type { Metrics } from './platform/observability/metrics.ts';
import { createOutboundHttp } from './platform/outbound/outbound-http.ts';
import { payloadCodecOf } from './platform/temporal/payload-codec.ts';
import { createQueueProviders } from './services/queue/queue-providers.ts';
import { startDueWorkflows } from './services/commands/workflow-start.service.ts';
import { ensureSchedules } from './platform/temporal/schedules.ts';
import { registerSearchAttributes } from './platform/temporal/search-attributes.ts';
import { createTemporalClient } from './platform/temporal/temporal-client.ts';
import { startTracing } from './platform/observability/tracing.ts';
import { schedules } from './workflows/shared/schedules.ts';
import { tenantAttributeName } from './workflows/queue/queue-pause.contract.ts';
import { searchAttributes } from './workflows/shared/search-attributes.ts';

/** A worker that polls for tasks. */
export interface RunningWorker {
  /** Settles when the worker has stopped, with the error that stopped it if it was one. */
  readonly stopped: Promise<void>;
  /** Takes no new tasks, lets running ones end, then closes the connections. */
  close(): Promise<void>;
}

const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));
/** A prebuilt bundle has these in it. */
const workflowModules = [fileURLToPath(new URL('./workflows/shared/interceptors.ts', import.meta.url))];

/** About twenty seconds with the SDK's backoff. */
const backgroundAttempts = 10;

/** Makes the parts that activities act through. */
export async function createActivityDeps(env: Env, log: Logger, metrics: Metrics): Promise<ActivityDeps> {
  const db = await openDatabase({ env, entities, log, applicationName: 'castellan-worker' });
  // No caller waits here, and a server that has just started refuses calls for a while.
  const temporal = createTemporalClient(env, metrics, payloadCodecOf(env), { maxAttempts: backgroundAttempts });
  return {
    env,
    log,
    db,
    keyring: createKeyring(parseKeyList(env.ENCRYPTION_KEYS, 'ENCRYPTION_KEYS')),
    outbound: createOutboundHttp({ allow: env.OUTBOUND_ALLOW }),
    mailer: createMailer({ env, db }),
    temporal,
    queues: createQueueProviders(env, temporal, tenantAttributeName),
    now: Date.now,
  };
}

/** Starts a worker: registers what operators search by, makes sure that the schedules exist, and polls. */
export async function startWorker(
  env: Env,
  log: Logger = createLogger({ level: env.LOG_LEVEL, name: 'worker' }),
): Promise<RunningWorker> {
  installTemporalRuntime(log);
  const metrics = createMetrics('worker');
  const connection = await NativeConnection.connect({
    address: env.TEMPORAL_ADDRESS,
    tls: env.TEMPORAL_TLS,
    ...(env.TEMPORAL_API_KEY === undefined ? {} : { apiKey: env.TEMPORAL_API_KEY }),
  });
  const deps = await createActivityDeps(env, log, metrics);
  let close = () => closeAll(deps, connection);
  try {
    await registerSearchAttributes(deps.temporal.client, env.TEMPORAL_NAMESPACE, searchAttributes);
    const worker = await Worker.create(workerOptions(env, deps, connection));
    const server = await listenForProbes(env, deps.db, metrics, () => worker.getState() === 'RUNNING');
    const stopped = worker.run();
    const endStarting = keepStarting(deps);
    close = async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped.catch(() => undefined);
      await endStarting();
      server.close();
      server.closeAllConnections();
      await closeAll(deps, connection);
    };
    // What waits for a worker goes on first: after a crash of Temporal its schedules take a while to answer.
    await Promise.race([ensureSchedules(deps.temporal.client, env.TEMPORAL_TASK_QUEUE, schedules), stopped]);
    return { stopped, close };
  } catch (error) {
    // A worker that never ran keeps its hold on the connection, which then cannot close; the cause must not be lost to that.
    await close().catch((closing: unknown) => log.debug({ err: closing }, 'the worker did not close'));
    throw error;
  }
}

/** How often a worker looks for workflows that wait to be started; they have to be within 15 s of Temporal's return (T-51). */
const startingIntervalMs = 2_000;

/**
 * Starts what committed changes wait for, over and over: not by a Schedule, because that waits for the very server that was
 * away.
 *
 * @returns a function that ends it, after the look that is under way.
 */
function keepStarting(deps: ActivityDeps): () => Promise<void> {
  const ending = new AbortController();
  const look = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await startDueWorkflows(deps).catch((error: unknown) => deps.log.warn({ err: error }, 'workflows that wait could not be read'));
      await setTimeout(startingIntervalMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  };
  const looking = look();
  return async () => {
    ending.abort();
    await looking;
  };
}

async function closeAll(deps: ActivityDeps, connection: NativeConnection): Promise<void> {
  const tracing = startTracing(deps.env, 'castellan-worker');
  await Promise.allSettled([
    deps.temporal.close(),
    deps.queues.close(),
    deps.outbound.close(),
    deps.db.close(),
    tracing.sendPending(),
  ]);
  await connection.close();
}

/** The options of every worker; tests use them too, so that what they run is what runs. */
export function workerOptions(env: Env, deps: ActivityDeps, connection: NativeConnection): WorkerOptions {
  const codec = payloadCodecOf(env);
  const tracing = startTracing(env, 'castellan-worker');
  return {
    connection,
    namespace: env.TEMPORAL_NAMESPACE,
    taskQueue: env.TEMPORAL_TASK_QUEUE,
    activities: createActivities(deps),
    ...(env.WORKFLOW_BUNDLE === undefined ? { workflowsPath } : { workflowBundle: { codePath: env.WORKFLOW_BUNDLE } }),
    ...(codec === undefined ? {} : { dataConverter: { payloadCodecs: [codec] } }),
    ...(env.TEMPORAL_WORKER_BUILD_ID === undefined
      ? {}
      : { workerDeploymentOptions: deploymentOptions(env.TEMPORAL_DEPLOYMENT_NAME, env.TEMPORAL_WORKER_BUILD_ID) }),
    ...(env.TEMPORAL_MAX_CACHED_WORKFLOWS === undefined
      ? {}
      : { maxCachedWorkflows: env.TEMPORAL_MAX_CACHED_WORKFLOWS }),
    interceptors: {
      ...(env.WORKFLOW_BUNDLE === undefined ? { workflowModules } : {}),
      activity: [(context) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(context) })],
    },
    sinks: { exporter: makeWorkflowExporter(tracing.processor, tracing.resource) },
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
    shutdownGraceTime: `${env.SHUTDOWN_TIMEOUT_SECONDS} seconds`,
  };
}

/**
 * Worker versioning: a workflow that is `pinned()` (approvals, rollouts) ends on the version it began on. The
 * others move to the current version, with changes to them behind `patched()`.
 */
function deploymentOptions(deploymentName: string, buildId: string): WorkerDeploymentOptions {
  return {
    version: { deploymentName, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  };
}

/** `/health`, `/health/ready` and `/metrics` of the worker, for container probes and Prometheus. */
async function listenForProbes(env: Env, db: Database, metrics: Metrics, isRunning: () => boolean): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    if (request.url === '/health') return answer(200, 'application/json', '{"status":"healthy"}');
    if (request.url === '/health/ready') {
      const ready = isRunning() && db.invalidation.isLive;
      return answer(ready ? 200 : 503, 'application/json', JSON.stringify({ status: ready ? 'ready' : 'unready' }));
    }
    if (request.url === '/metrics') {
      void metrics.registry.metrics().then((text) => answer(200, metrics.registry.contentType, text));
      return undefined;
    }
    return answer(404, 'application/json', '{}');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(env.WORKER_PORT, env.HOST, resolve);
  });
  return server;
}

let isRuntimeInstalled = false;

/** Sends what the Temporal SDK logs into the log of the first worker of a process and leaves the signals to us. */
export function installTemporalRuntime(log: Logger): void {
  if (isRuntimeInstalled) return;
  isRuntimeInstalled = true;
  Runtime.install({
    logger: {
      log: (level, message, meta) => log[level === 'WARN' ? 'warn' : level === 'ERROR' ? 'error' : 'debug']({ ...meta }, message),
      trace: (message, meta) => log.trace({ ...meta }, message),
      debug: (message, meta) => log.debug({ ...meta }, message),
      info: (message, meta) => log.info({ ...meta }, message),
      warn: (message, meta) => log.warn({ ...meta }, message),
      error: (message, meta) => log.error({ ...meta }, message),
    },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
    shutdownSignals: [],
  });
}

async function main(): Promise<void> {
  const env = loadEnv();
  const log = createLogger({ level: env.LOG_LEVEL, name: 'worker' });
  const worker = await startWorker(env, log);
  log.info({ task_queue: env.TEMPORAL_TASK_QUEUE }, 'the worker is polling');
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    void worker.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await worker.stopped;
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
