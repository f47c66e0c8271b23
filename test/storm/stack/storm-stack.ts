import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildWorkflowBundleApart } from '../../../src/dev/build-bundle.ts';
import { cacheFolderPath } from '../../../src/dev/data-folder.ts';
import { startEmbeddedPostgres } from '../../../src/dev/embedded-postgres.ts';
import { startManagedProcess } from '../../../src/dev/managed-process.ts';
import { migrateUp } from '../../../src/dev/migrate.ts';
import { freePort, loopback } from '../../../src/dev/ports.ts';
import { findTemporal } from '../../../src/dev/temporal-finder.ts';
import { startTemporalServer } from '../../../src/dev/temporal-server.ts';
import { loadEnv } from '../../../src/platform/env.ts';
import type { Env } from '../../../src/platform/env.ts';
import type { StormTarget } from '../load/world.ts';
import { Part } from './part.ts';
import type { PartName, RunningServer } from './part.ts';

/** The installation that the storm goes over. */
export interface StormStack {
  readonly target: StormTarget;
  readonly parts: ReadonlyMap<PartName, Part>;
  /** Where the workers say whether they work. */
  readonly workerUrls: readonly string[];
  /** Logs of all parts; kept for explanations. */
  readonly folder: string;
  /** Ends every part that was started. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const readyTimeoutMs = 40_000;
const keyList = () => `k1:${randomBytes(32).toString('base64')}`;

/**
 * Starts PostgreSQL and Temporal, which commit as in production, two API and two worker processes from their production
 * entries. All listen on the loopback address.
 *
 * @param tell gets one line for everything that happens to a part
 */
export async function startStormStack(tell: (line: string) => void): Promise<StormStack> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-storm-'));
  await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
  await mkdir(join(folder, 'logs'));
  const logFile = (name: string) => join(folder, 'logs', `${name}.log`);
  const parts = new Map<PartName, Part>();
  const add = (name: PartName, orderly: NodeJS.Signals, launch: () => Promise<RunningServer>) => {
    const part = new Part({ name, orderly, launch, tell });
    parts.set(name, part);
    return part;
  };
  const stop = async () => {
    for (const part of [...parts.values()].reverse()) await part.close();
  };
  try {
    const postgres = await addPostgres(folder, logFile('postgres'), add);
    const temporalAddress = await addTemporal(folder, logFile('temporal'), add);
    await migrateUp(postgres.ownerUrl);
    const shared = {
      NODE_ENV: 'production',
      LOG_LEVEL: 'info',
      PUBLIC_URL: 'https://castellan.storm.invalid',
      DATABASE_URL: postgres.appUrl,
      TEMPORAL_ADDRESS: temporalAddress,
      WORKFLOW_BUNDLE: await buildWorkflowBundleApart(join(folder, 'workflow-bundle.js')),
      ENCRYPTION_KEYS: keyList(),
      AUTH_SIGNING_KEYS: keyList(),
      AUDIT_SIGNING_KEYS: keyList(),
      AUDIT_CHECKPOINT_DIR: join(folder, 'checkpoints'),
      ACCESS_TOKEN_TTL_SECONDS: '3600',
      // One caller stands for many people.
      RATE_LIMIT_PER_MINUTE: '1000000',
      SHUTDOWN_TIMEOUT_SECONDS: '5',
    };
    const urls = [await addProcess('api-1', shared, logFile, add), await addProcess('api-2', shared, logFile, add)] as const;
    const workerUrls = [await addProcess('worker-1', shared, logFile, add), await addProcess('worker-2', shared, logFile, add)];
    const env: Env = loadEnv({ ...shared, DATABASE_OWNER_URL: postgres.ownerUrl });
    return { target: { urls, env, adminUrl: postgres.adminUrl }, parts, workerUrls, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Add = (name: PartName, orderly: NodeJS.Signals, launch: () => Promise<RunningServer>) => Part;

async function addPostgres(folder: string, logFile: string, add: Add) {
  const port = await freePort();
  const launch = () =>
    startEmbeddedPostgres({
      folder,
      logFile,
      port,
      passwords: { superuser: 'storm-superuser', owner: 'storm-owner', app: 'storm-app' },
    });
  let addresses: Awaited<ReturnType<typeof launch>> | undefined;
  // SIGINT is the fast shutdown; SIGTERM would wait until every client has gone.
  await add('postgres', 'SIGINT', async () => (addresses = await launch())).start();
  if (addresses === undefined) throw new Error('PostgreSQL has started without addresses.');
  const adminUrl = new URL(addresses.adminUrl);
  adminUrl.pathname = new URL(addresses.appUrl).pathname;
  return { ...addresses, adminUrl: adminUrl.href };
}

/** Its state is in a file, so that workflows outlive it. */
async function addTemporal(folder: string, logFile: string, add: Add): Promise<string> {
  const env = { ...process.env, TEMPORAL_ADDRESS: undefined };
  const found = await findTemporal({ env, cacheFolder: cacheFolderPath(env) });
  if (found.kind === 'server') throw new Error('A program was looked for, and a server was found.');
  const port = await freePort();
  const databaseFile = join(folder, 'temporal.db');
  await add('temporal', 'SIGTERM', () =>
    startTemporalServer({ executable: found.path, databaseFile, logFile, port, namespace: 'default' }),
  ).start();
  return `${loopback}:${port}`;
}

/** Starts an API or a worker. @returns where it answers */
async function addProcess(name: PartName, shared: NodeJS.ProcessEnv, logFile: (name: string) => string, add: Add): Promise<string> {
  const port = await freePort();
  const isApi = name.startsWith('api');
  const url = `http://${loopback}:${port}`;
  const launch = async () => {
    const started = await startManagedProcess({
      command: process.execPath,
      args: [isApi ? 'src/api/server.ts' : 'src/worker.ts'],
      env: { PATH: process.env['PATH'], ...shared, [isApi ? 'PORT' : 'WORKER_PORT']: String(port) },
      cwd: root,
      logFile: logFile(name),
      stopSignal: 'SIGTERM',
    });
    // An API is up as soon as it listens: it has to live through the absence of the others.
    const path = isApi ? '/health' : '/health/ready';
    const deadline = Date.now() + readyTimeoutMs;
    while (!started.hasEnded() && Date.now() < deadline && !(await answersOk(`${url}${path}`))) await sleep(50);
    if (started.hasEnded()) throw new Error(`ended with ${await started.ended}: ${(await started.recentLog()).trim().split('\n').at(-1) ?? ''}`);
    return started;
  };
  await add(name, 'SIGTERM', launch).start();
  return url;
}

/** Whether a process answers with a success within a second. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
