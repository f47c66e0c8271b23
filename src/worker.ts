import { setTimeout } from 'node:timers/promises';
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
import { loadEnv } from './platform/env.ts';
import type { Env } from './platform/env.ts';
import { createKeyring, parseKeyList } from './platform/security/keyring.ts';
import { createLogger } from './platform/observability/logger.ts';
import type { Logger } from './platform/observability/logger.ts';
import { createMailer } from './platform/outbound/mailer.ts';
import { createMetrics } from './platform/observability/metrics.ts';
import type { Metrics } from './platform/observability/metrics.ts';
import { listenForProbes } from './platform/observability/probe-server.ts';
import type { ProcessReadiness } from './platform/observability/probe-server.ts';
import { createOutboundHttp } from './platform/outbound/outbound-http.ts';
import { keepPolling } from './platform/temporal/polling-worker.ts';
import type { Polling } from './platform/temporal/polling-worker.ts';
import { payloadCodecOf } from './platform/temporal/payload-codec.ts';
import { createQueueProviders } from './services/queue/queue-providers.ts';
import { exitOnUncaughtError } from './platform/uncaught-errors.ts';
import { startDueWorkflows } from './services/commands/workflow-start.service.ts';
import { reconcileSchedules } from './platform/temporal/schedules.ts';
import { registerSearchAttributes } from './platform/temporal/search-attributes.ts';
import { createTemporalClient } from './platform/temporal/temporal-client.ts';
import { startTracing } from './platform/observability/tracing.ts';
import { retiredSchedules, schedules } from './workflows/shared/schedules.ts';
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
const registrationTimeoutMs = 20_000;

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

/** How to start a worker. */
interface StartWorkerOptions {
  /** Ends the waiting for Temporal; the start then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with what is missing, in words, while the start waits for it. */
  readonly onWait?: (missing: string) => void;
}

/**
 * Starts a worker and waits until it polls, for as long as Temporal or its namespace is missing; `/health/ready` answers from
 * the beginning and says what is missing. Once it polls, it goes on through failures of Temporal until it is closed.
 *
 * The Schedules are reconciled meanwhile: after a crash of Temporal they take a while to answer, and work waits already.
 *
 * @throws Error for what waiting does not mend: the database, a search attribute of another type, code that cannot be loaded.
 */
export async function startWorker(
  env: Env,
  log: Logger = createLogger({ level: env.LOG_LEVEL, name: 'worker' }),
  { signal, onWait }: StartWorkerOptions = {},
): Promise<RunningWorker> {
  installTemporalRuntime(log);
  const metrics = createMetrics('worker');
  const deps = await createActivityDeps(env, log, metrics);
  const { client, taskQueue, namespaceProblem } = deps.temporal;
  let connection: NativeConnection | undefined;
  let hasSchedules = false;
  const polling = keepPolling({
    log,
    onWait,
    problem: namespaceProblem,
    create: async () => {
      connection ??= await connect(env);
      await client.withDeadline(Date.now() + registrationTimeoutMs, () =>
        registerSearchAttributes(client, env.TEMPORAL_NAMESPACE, searchAttributes),
      );
      return Worker.create(workerOptions(env, deps, connection));
    },
    beside: async (over) => {
      hasSchedules = await reconcileSchedules(client, taskQueue, schedules, { log, signal: over, retired: retiredSchedules });
    },
  });
  let endProbes: (() => void) | undefined;
  const endStarting = keepStarting(deps);
  const close = async () => {
    await Promise.all([polling.stop(), endStarting()]);
    endProbes?.();
    await closeAll(deps, connection);
  };
  try {
    endProbes = await listenForProbes({ host: env.HOST, port: env.WORKER_PORT }, metrics, () =>
      readinessOf(deps, polling, hasSchedules),
    );
    await Promise.race([polling.begun, polling.ended, ...(signal === undefined ? [] : [abortOf(signal)])]);
    return { stopped: polling.ended, close };
  } catch (error) {
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

function connect(env: Env): Promise<NativeConnection> {
  return NativeConnection.connect({
    address: env.TEMPORAL_ADDRESS,
    tls: env.TEMPORAL_TLS,
    ...(env.TEMPORAL_API_KEY === undefined ? {} : { apiKey: env.TEMPORAL_API_KEY }),
  });
}

/** Rejects when the signal says so. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/**
 * A worker is ready while it polls in a namespace that is there and hears of changes of rights. Missing Schedules take nothing
 * from what it does, but nothing begins by itself without them.
 */
async function readinessOf({ db, temporal }: ActivityDeps, polling: Polling, hasSchedules: boolean): Promise<ProcessReadiness> {
  const namespaceProblem = await temporal.namespaceProblem();
  const problems = {
    temporal: namespaceProblem,
    polling: polling.missing(),
    invalidation: db.invalidation.isLive ? undefined : 'no notice of changed rights from the database',
  };
  const schedulesProblem = hasSchedules ? undefined : 'schedules not reconciled yet';
  const found = Object.entries({ ...problems, schedules: schedulesProblem });
  const isReady = Object.values(problems).every((problem) => problem === undefined);
  return {
    status: isReady ? (hasSchedules ? 'ready' : 'degraded') : 'unready',
    checks: Object.fromEntries(found.map(([name, problem]) => [name, problem === undefined ? 'up' : 'down'])),
    missing: [...new Set(found.flatMap(([, problem]) => problem ?? []))],
  };
}

async function closeAll(deps: ActivityDeps, connection: NativeConnection | undefined): Promise<void> {
  const tracing = startTracing(deps.env, 'castellan-worker');
  await Promise.allSettled([
    deps.temporal.close(),
    deps.queues.close(),
    deps.outbound.close(),
    deps.db.close(),
    tracing.sendPending(),
  ]);
  await connection?.close();
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
  const stopping = new AbortController();
  let worker: RunningWorker | undefined;
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    stopping.abort();
    void worker?.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  exitOnUncaughtError(log, () => worker?.close(), env.SHUTDOWN_TIMEOUT_SECONDS * 1_000);
  try {
    worker = await startWorker(env, log, { signal: stopping.signal });
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0);
    throw error;
  }
  log.info({ task_queue: env.TEMPORAL_TASK_QUEUE }, 'the worker is polling');
  await worker.stopped;
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
