import { relative } from 'node:path';

import { pino } from 'pino';

import { type Env, EnvError, loadEnv } from '../platform/env.ts';
import { createLogger } from '../platform/observability/logger.ts';
import { bootstrapDatabase, withClient } from './bootstrap-database.ts';
import { buildWorkflowBundleApart } from './build-bundle.ts';
import { cacheFolderPath, type DataFolder, dataFolderPath, takeDataFolder } from './data-folder.ts';
import { demoCompanyPort } from './demo/demo-company.ts';
import { type DevSecrets, devSecrets } from './dev-secrets.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { assertFreePort } from './ports.ts';
import type { SampleSignIn } from './sample-data.ts';
import { errorMessage, StartupError } from './startup-error.ts';
import { findTemporal } from './temporal-finder.ts';
import { startTemporalServer } from './temporal-server.ts';

/** Runs one named step of the start and shows it; `report` shows its current progress in one line. */
export type StepRunner = <T>(title: string, run: (report: (line: string) => void) => Promise<T>) => Promise<T>;

/** The running stack as it is displayed. */
export type EmbeddedStack = {
  apiUrl: string;
  temporalWebUrl: string;
  signIns: readonly SampleSignIn[];
  dataFolder: string;
  logFile: string;
  /** Stops everything in the reverse order of the start; `onStep` gets the name of what is being stopped. */
  stop(onStep?: (name: string) => void): Promise<void>;
};

/** What {@link startEmbeddedStack} needs. */
export type EmbeddedStackOptions = {
  /** The environment of the process; `DATABASE_URL` and `TEMPORAL_ADDRESS` switch to servers that already run. */
  source: NodeJS.ProcessEnv;
  step: StepRunner;
  /** Ends the start; what was started until then is stopped. */
  signal: AbortSignal;
  /** Called with one line when a server ends unexpectedly. */
  onUnexpectedEnd: (reason: string) => void;
};

type Addresses = { appUrl: string; ownerUrl: string };
type Undos = { name: string; undo: () => Promise<void> }[];

/**
 * The application itself is loaded late: it takes a second, which would only delay the message about a port that is taken
 * or a folder that cannot be written.
 */
const application = {
  migrations: () => import('./migrate.ts'),
  sampleData: () => import('./sample-data.ts'),
  sampleClients: () => import('./sample-clients.ts'),
  sampleOperations: () => import('./sample-operations.ts'),
  worker: () => import('../worker.ts'),
  api: () => import('../api/server.ts'),
};

/**
 * Starts PostgreSQL, Temporal, worker and API in this process and its children, with migrations and sample data.
 *
 * @throws StartupError with one line for everything that the user can correct; nothing is left running then
 */
export async function startEmbeddedStack(options: EmbeddedStackOptions): Promise<EmbeddedStack> {
  const source = withoutEmpty(options.source);
  if (source.NODE_ENV === 'production') {
    throw new StartupError(
      'npm start brings sample sign-ins and is for development: in production run npm run migrate, npm run api and ' +
        'npm run worker.',
    );
  }
  const undos: Undos = [];
  const step: StepRunner = async (title, run) => {
    options.signal.throwIfAborted();
    return options.step(title, run);
  };
  try {
    const folder = await takeDataFolder(dataFolderPath(source));
    undos.push({ name: 'data folder', undo: () => folder.release() });
    return await startOn(folder, { ...options, source, step }, undos);
  } catch (error) {
    await stopAll(undos);
    throw error;
  }
}

async function startOn(folder: DataFolder, options: EmbeddedStackOptions, undos: Undos): Promise<EmbeddedStack> {
  const { source, step } = options;
  const secrets = await devSecrets(folder.in('secrets.json'));
  // Before anything that may take minutes: settings and ports.
  const draft = readEnv(source, secrets, folder, {});
  await assertFreePort(draft.PORT, 'the API', 'set PORT to another port');
  await assertFreePort(draft.WORKER_PORT, "the worker's metrics", 'set WORKER_PORT to another port');
  const bundle =
    source.WORKFLOW_BUNDLE === undefined
      ? buildWorkflowBundleApart(folder.in('workflow-bundle.js'), options.signal)
      : Promise.resolve(source.WORKFLOW_BUNDLE);
  bundle.catch(() => undefined); // the await below throws the failure

  const database = await step('PostgreSQL', (report) => startDatabase(folder, secrets, report, options, undos));
  const temporal = await step('Temporal', (report) => startTemporal(folder, draft, report, options, undos));
  await step('Migrations', async () => (await application.migrations()).migrateUp(database.ownerUrl));

  const env = readEnv(source, secrets, folder, {
    DATABASE_URL: database.appUrl,
    DATABASE_OWNER_URL: database.ownerUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_WEB_URL: temporal.webUrl,
    WORKFLOW_BUNDLE: await step('Workflow code', () => bundle),
  });
  const signIns = await step('Sample data', async () => {
    const people = await (await application.sampleData()).seedSampleData(env);
    await (await application.sampleClients()).seedSampleClients(env);
    await (await application.sampleOperations()).seedSampleOperations(env);
    return people;
  });

  const logFile = folder.in('logs', 'castellan.log');
  const destination = pino.destination({ dest: logFile, mkdir: true });
  await step('Worker', async (report) => {
    const log = createLogger({ level: env.LOG_LEVEL, name: 'worker', destination });
    const { startWorker } = await application.worker();
    const onWait = (missing: string) => report(`waiting: ${missing}`);
    const worker = await startWorker(env, log, { signal: options.signal, onWait });
    const ended = worker.stopped.then(() => 'stopped', errorMessage);
    keepWatch('worker', { ended, stop: () => worker.close() }, undos, options.onUnexpectedEnd);
  });
  const apiUrl = await step('API', async () => {
    const { startApi } = await application.api();
    const api = await startApi(env, createLogger({ level: env.LOG_LEVEL, name: 'api', destination }));
    undos.push({ name: 'API', undo: () => api.close() });
    return api.url;
  });
  return {
    apiUrl,
    temporalWebUrl: env.TEMPORAL_WEB_URL,
    signIns,
    dataFolder: shortPath(folder.path),
    logFile: shortPath(logFile),
    stop: (onStep) => stopAll(undos, onStep),
  };
}

/** The embedded PostgreSQL, or the one that `DATABASE_URL` names. */
async function startDatabase(
  folder: DataFolder,
  secrets: DevSecrets,
  report: (line: string) => void,
  { source, onUnexpectedEnd }: EmbeddedStackOptions,
  undos: Undos,
): Promise<Addresses> {
  if (source.DATABASE_URL !== undefined) return useDatabase(source.DATABASE_URL, source);
  const postgres = await startEmbeddedPostgres({
    folder: folder.path,
    logFile: folder.in('logs', 'postgres.log'),
    port: portOf(source, 'POSTGRES_PORT', 15_432),
    passwords: {
      superuser: secrets.postgres_superuser_password,
      owner: secrets.postgres_owner_password,
      app: secrets.postgres_app_password,
    },
    progress: report,
  });
  keepWatch('PostgreSQL', postgres, undos, onUnexpectedEnd);
  return postgres;
}

async function useDatabase(appUrl: string, source: NodeJS.ProcessEnv): Promise<Addresses> {
  const ownerUrl = source.DATABASE_OWNER_URL;
  if (ownerUrl === undefined) {
    throw new StartupError('DATABASE_URL is set: set DATABASE_OWNER_URL too, for the migrations run as the owner.');
  }
  if (source.DATABASE_ADMIN_URL !== undefined) {
    await bootstrapDatabase({ adminUrl: source.DATABASE_ADMIN_URL, ownerUrl, appUrl }).catch((error: unknown) => {
      throw new StartupError(`DATABASE_ADMIN_URL cannot prepare the database: ${errorMessage(error)}`, { cause: error });
    });
  }
  for (const [name, url] of [['DATABASE_URL', appUrl], ['DATABASE_OWNER_URL', ownerUrl]] as const) {
    await withClient(url, (client) => client.query('select 1')).catch((error: unknown) => {
      throw new StartupError(
        `The database of ${name} does not let us in (${errorMessage(error)}): correct it, or unset DATABASE_URL to use ` +
          'the embedded PostgreSQL.',
        { cause: error },
      );
    });
  }
  return { appUrl, ownerUrl };
}

/** The embedded dev server, or the server that `TEMPORAL_ADDRESS` names. */
async function startTemporal(
  folder: DataFolder,
  env: Env,
  report: (line: string) => void,
  { source, signal, onUnexpectedEnd }: EmbeddedStackOptions,
  undos: Undos,
): Promise<{ address: string; webUrl: string }> {
  const found = await findTemporal({ env: source, cacheFolder: cacheFolderPath(source), progress: report, signal });
  signal.throwIfAborted();
  if (found.kind === 'server') return { address: found.address, webUrl: env.TEMPORAL_WEB_URL };
  const webPort = portOf(source, 'TEMPORAL_WEB_PORT', 8_233);
  const server = await startTemporalServer({
    executable: found.path,
    databaseFile: folder.in('temporal.db'),
    logFile: folder.in('logs', 'temporal.log'),
    port: portOf(source, 'TEMPORAL_PORT', 7_233),
    webPort,
    namespace: env.TEMPORAL_NAMESPACE,
    progress: report,
  });
  keepWatch('Temporal', server, undos, onUnexpectedEnd);
  return { address: server.address, webUrl: server.webUrl ?? env.TEMPORAL_WEB_URL };
}

/** Registers the server to be stopped at the end, and reports when it ends before that. */
function keepWatch(
  name: string,
  server: { ended: Promise<string>; stop: () => Promise<void> },
  undos: Undos,
  onUnexpectedEnd: (reason: string) => void,
): void {
  const entry = { name, undo: () => server.stop() };
  undos.push(entry);
  void server.ended.then((reason) => {
    if (undos.includes(entry)) onUnexpectedEnd(`${name} has ended (${reason})`);
  });
}

/** The environment as API and worker get it: what the person set, over what the stack knows or generates. */
function readEnv(
  source: NodeJS.ProcessEnv,
  secrets: DevSecrets,
  folder: DataFolder,
  known: NodeJS.ProcessEnv,
): Env {
  try {
    return loadEnv({
      DATABASE_URL: 'postgres://not-started-yet',
      ENCRYPTION_KEYS: secrets.encryption_keys,
      AUTH_SIGNING_KEYS: secrets.auth_signing_keys,
      AUDIT_SIGNING_KEYS: secrets.audit_signing_keys,
      AUDIT_CHECKPOINT_DIR: folder.in('checkpoints'),
      // The demonstration's company runs on this machine and has to be reachable.
      OUTBOUND_ALLOW: `127.0.0.1:${demoCompanyPort}`,
      PUBLIC_URL: `http://127.0.0.1:${source.PORT ?? 3_000}`,
      ...source,
      ...known,
    });
  } catch (error) {
    // One line here; the message has one for each bad variable.
    if (error instanceof EnvError) throw new StartupError(error.message.replaceAll(/\s*\n\s*/g, ' '), { cause: error });
    throw error;
  }
}

function portOf(source: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const port = Number(source[name] ?? fallback);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new StartupError(`${name} must be a port number from 1 to 65535; it is "${source[name]}".`);
}

/** Relative where that is shorter to read: inside the current folder. */
function shortPath(path: string): string {
  const fromHere = relative('', path);
  return fromHere.startsWith('..') ? path : fromHere;
}

/** An empty variable means "not set", as in a compose file. */
function withoutEmpty(source: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
}

/** Every part is stopped, also when stopping another one fails; the first failure is passed on at the end. */
async function stopAll(undos: Undos, onStep: (name: string) => void = () => undefined): Promise<void> {
  const failures: unknown[] = [];
  for (const { name, undo } of undos.splice(0).reverse()) {
    onStep(name);
    await undo().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
