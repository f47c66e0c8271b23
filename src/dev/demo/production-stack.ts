import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { cacheFolderPath } from '../data-folder.ts';
import { startEmbeddedPostgres } from '../embedded-postgres.ts';
import { startManagedProcess } from '../managed-process.ts';
import { freePort, loopback } from '../ports.ts';
import { runCommand } from '../processes.ts';
import { findTemporal } from '../temporal-finder.ts';
import { startTemporalServer } from '../temporal-server.ts';

/** An installation as `docker-compose.yml` makes it, on servers of its own and nobody else's. */
export type ProductionStack = {
  readonly apiUrl: string;
  /** Names and version of what was started, for people to read. */
  readonly parts: Readonly<Record<string, string>>;
  /** Runs `npm run admin:create` as the operator. @throws Error with what it said when it fails */
  adminCreate(args: readonly string[]): Promise<string>;
  /** Runs `npm run retention` with its own login. @throws Error with what it said when it fails */
  retention(publicKeys: readonly string[]): Promise<string>;
  /** Stops everything and removes its data. */
  stop(): Promise<void>;
};

/** Name and retention of the namespace that compose makes. */
const namespace = 'castellan';
const namespaceRetention = '30d';
/** The server answers on its port before it knows namespaces. */
const namespaceAttempts = 15;

const commandTimeoutMs = 60_000;
const readyTimeoutMs = 60_000;
const root = fileURLToPath(new URL('../../../', import.meta.url));

type Undos = (() => Promise<unknown>)[];

/**
 * Starts PostgreSQL and Temporal, prepares both with the commands of compose's `migrate` and `temporal-namespace`, builds the
 * bundle of the image and starts API and worker from their production entries. Each process gets what compose gives it and
 * nothing else; only here are places, ports and the Temporal server (its dev server) others.
 *
 * @throws Error with what a part has said when it does not come up; nothing is left running then
 */
export async function startProductionStack(progress: (step: string) => void): Promise<ProductionStack> {
  const undos: Undos = [];
  const stop = async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await startOn(undos, progress)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startOn(undos: Undos, progress: (step: string) => void): Promise<Omit<ProductionStack, 'stop'>> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-production-'));
  undos.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
  for (const volume of ['checkpoints', 'archive']) await mkdir(join(folder, volume));

  const postgres = await startEmbeddedPostgres({
    folder,
    logFile: join(folder, 'postgres.log'),
    port: await freePort(),
    passwords: { superuser: newPassword(), owner: newPassword(), app: newPassword(), retention: newPassword() },
    progress,
  });
  undos.push(() => postgres.stop());
  const temporalAddress = await startTemporal(folder, undos, progress);

  progress('migrating as the owner of the schema');
  await run('src/dev/migrate.ts', ['up'], {
    DATABASE_ADMIN_URL: postgres.adminUrl,
    DATABASE_OWNER_URL: postgres.ownerUrl,
    DATABASE_URL: postgres.appUrl,
    RETENTION_DATABASE_URL: postgres.retentionUrl,
  });
  progress('bundling the workflow code');
  const bundle = join(folder, 'workflow-bundle.js');
  await run('src/dev/build-bundle.ts', [bundle], {});

  const [apiPort, workerPort] = [await freePort(), await freePort()];
  const apiUrl = `http://${loopback}:${apiPort}`;
  const shared = {
    PUBLIC_URL: 'https://castellan.example',
    DATABASE_URL: postgres.appUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_PAYLOAD_KEYS: newKey(),
    ENCRYPTION_KEYS: newKey(),
    AUTH_SIGNING_KEYS: newKey(),
    AUDIT_SIGNING_KEYS: newKey(),
    TRUSTED_PROXIES: '1',
  };
  const process = {
    ...shared,
    HOST: loopback,
    PORT: String(apiPort),
    WORKER_PORT: String(workerPort),
    HEALTH_API_URLS: apiUrl,
    WORKFLOW_BUNDLE: bundle,
    AUDIT_CHECKPOINT_DIR: join(folder, 'checkpoints'),
  };
  progress('starting API and worker');
  await Promise.all([
    startProcess('src/api/server.ts', process, { logFile: join(folder, 'api.log'), readyUrl: apiUrl, undos }),
    startProcess('src/worker.ts', process, { logFile: join(folder, 'worker.log'), readyUrl: `http://${loopback}:${workerPort}`, undos }),
  ]);
  // The API says so only once it knows of a worker.
  await waitUntilReady(apiUrl, () => undefined);

  return {
    apiUrl,
    parts: {
      API: apiUrl,
      Temporal: `${temporalAddress}, namespace ${namespace}`,
      'database roles': [postgres.ownerUrl, postgres.appUrl, postgres.retentionUrl ?? ''].map((url) => new URL(url).username).join(', '),
      NODE_ENV: 'production',
    },
    adminCreate: (args) => run('src/dev/admin-create.ts', args, shared),
    retention: (publicKeys) =>
      run('src/dev/retention.ts', [], {
        RETENTION_DATABASE_URL: postgres.retentionUrl,
        AUDIT_PUBLIC_KEY: publicKeys.join(','),
        AUDIT_CHECKPOINT_DIR: join(folder, 'checkpoints'),
        AUDIT_ARCHIVE_DIR: join(folder, 'archive'),
        LOG_LEVEL: 'warn',
      }),
  };
}

/** Always a server of its own: one that `TEMPORAL_ADDRESS` names is somebody else's. */
async function startTemporal(folder: string, undos: Undos, progress: (step: string) => void): Promise<string> {
  const env = { ...process.env, TEMPORAL_ADDRESS: undefined };
  const found = await findTemporal({ env, cacheFolder: cacheFolderPath(env), progress });
  if (found.kind === 'server') throw new Error('A program was looked for, and a server was found.');
  const server = await startTemporalServer({
    executable: found.path,
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port: await freePort(),
    namespace: 'default',
    progress,
  });
  undos.push(() => server.stop());
  progress('making the namespace');
  await makeNamespace(found.path, { HOME: folder, TEMPORAL_ADDRESS: server.address });
  return server.address;
}

/** As compose's `temporal-namespace` does it; with a home of its own, the CLI reads no settings of the caller's. */
async function makeNamespace(cli: string, env: NodeJS.ProcessEnv): Promise<void> {
  const temporal = (...args: string[]) => runCommand(cli, ['operator', 'namespace', ...args], { timeoutMs: commandTimeoutMs, env });
  for (let attempt = 1; ; attempt += 1) {
    if ((await temporal('describe', '-n', namespace)).ok) return;
    const made = await temporal('create', '-n', namespace, '--retention', namespaceRetention, '--description', 'Castellan');
    if (made.ok) return;
    if (attempt === namespaceAttempts) throw new Error(`The namespace cannot be made: ${made.stderr}`);
    await sleep(2_000);
  }
}

/** Runs a command of the image to its end. @returns what it has printed. */
async function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const result = await runCommand(process.execPath, [file, ...args], { timeoutMs: commandTimeoutMs, env: productionEnv(env), cwd: root });
  if (!result.ok) throw new Error(`${file} failed: ${result.stderr.trim()}`);
  return result.stdout;
}

async function startProcess(
  file: string,
  env: NodeJS.ProcessEnv,
  { logFile, readyUrl, undos }: { logFile: string; readyUrl: string; undos: Undos },
): Promise<void> {
  const started = await startManagedProcess({
    command: process.execPath,
    args: [file],
    env: productionEnv(env),
    cwd: root,
    logFile,
    stopSignal: 'SIGTERM',
  });
  undos.push(() => started.stop());
  await waitUntilReady(readyUrl, async () => {
    if (started.hasEnded()) throw new Error(`${file} ended (${await started.ended}): ${await started.recentLog()}`);
  });
}

/** Waits until a process says that nothing is missing. @throws Error with what is missing */
async function waitUntilReady(url: string, check: () => unknown): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  let said = 'no answer';
  while (Date.now() < deadline) {
    await check();
    const answer = await fetch(`${url}/health/ready`).then((response) => response.text(), () => 'no answer');
    if (answer.includes('"status":"ready"')) return;
    said = answer;
    await sleep(100);
  }
  throw new Error(`${url} is not ready: ${said}`);
}

/** Nothing of the caller's environment but where programs are. */
function productionEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], NODE_ENV: 'production', ...env };
}

function newPassword(): string {
  return randomBytes(24).toString('hex');
}

function newKey(): string {
  return `k1:${randomBytes(32).toString('base64')}`;
}
