import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildWorkflowBundleApart } from '../src/dev/build-bundle.ts';
import { cacheFolderPath } from '../src/dev/data-folder.ts';
import { startEmbeddedPostgres } from '../src/dev/embedded-postgres.ts';
import { startManagedProcess } from '../src/dev/managed-process.ts';
import type { ManagedProcess } from '../src/dev/managed-process.ts';
import { migrateUp } from '../src/dev/migrate.ts';
import { freePort } from '../src/dev/ports.ts';
import { seedSampleData } from '../src/dev/sample-data.ts';
import { findTemporal } from '../src/dev/temporal-finder.ts';
import { startTemporalServer } from '../src/dev/temporal-server.ts';
import { loadEnv } from '../src/platform/env.ts';
import type { Env } from '../src/platform/env.ts';
import { startLoadProcess } from './load.ts';
import type { LoadProcess } from './load.ts';
import { seedBenchData } from './seed.ts';
import type { BenchPerson } from './seed.ts';

/** A server process of the bench, with where it answers and how long it took to. */
export interface BenchProcess {
  readonly url: string;
  readonly pid: number;
  readonly readyMs: number;
  /** Resident memory in MB. */
  rssMb(): Promise<number>;
  stop(): Promise<void>;
}

/** The servers and people that the cases use. The servers commit as in production (fsync on). */
export interface BenchStack {
  readonly env: Env;
  readonly adminUrl: string;
  readonly folder: string;
  readonly api: BenchProcess;
  readonly worker: BenchProcess;
  readonly load: LoadProcess;
  /** One signed-in person in each of eight tenants; the first one is in the default tenant. */
  readonly people: readonly BenchPerson[];
  /** Starts a further server, stopped with the stack: ready when `readyPath` answers 200. */
  start(program: BenchProgram): Promise<BenchProcess>;
  stop(): Promise<void>;
}

export interface BenchProgram {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  readonly readyPath: string;
}

const readyTimeoutMs = 30_000;

/** Path of a file of the repository. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Starts PostgreSQL, Temporal, API, worker and the load process in a folder of their own. */
export async function startBenchStack(say: (line: string) => void): Promise<BenchStack> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-bench-'));
  await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
  const undos: (() => Promise<void> | void)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  const stop = async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    say('starting PostgreSQL and Temporal');
    const postgres = await startEmbeddedPostgres({
      folder,
      logFile: join(folder, 'postgres.log'),
      port: await freePort(),
      passwords: { superuser: 'bench-superuser', owner: 'bench-owner', app: 'bench-app' },
    });
    undos.push(() => postgres.stop());
    const temporalAddress = await startTemporal(folder, say, undos);
    await migrateUp(postgres.ownerUrl);
    const bundle = await buildWorkflowBundleApart(join(folder, 'workflow-bundle.js'));
    const variables = await environment(postgres, temporalAddress, bundle);
    const env = loadEnv(variables);
    await seedSampleData({ ...env, NODE_ENV: 'development' });
    const people = await seedBenchData(env, postgres.adminUrl);

    const start = async (program: BenchProgram) => {
      const started = await startProgram(program, folder);
      undos.push(() => started.stop());
      return started;
    };
    say('starting API and worker');
    const api = await start({
      name: 'api',
      command: process.execPath,
      args: [projectFile('src/api/server.ts')],
      env: variables,
      port: env.PORT,
      readyPath: '/health/ready',
    });
    const worker = await start({
      name: 'worker',
      command: process.execPath,
      args: [projectFile('src/worker.ts')],
      env: variables,
      port: env.WORKER_PORT,
      readyPath: '/health/ready',
    });
    const load = startLoadProcess();
    undos.push(() => load.stop());
    return { env, adminUrl: onDatabase(postgres.adminUrl, postgres.appUrl), folder, api, worker, load, people, start, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startTemporal(folder: string, say: (line: string) => void, undos: (() => Promise<void> | void)[]): Promise<string> {
  const found = await findTemporal({
    env: { ...process.env, TEMPORAL_ADDRESS: undefined },
    cacheFolder: cacheFolderPath(process.env),
    progress: say,
  });
  if (found.kind === 'server') return found.address;
  const server = await startTemporalServer({
    executable: found.path,
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port: await freePort(),
    namespace: 'default',
  });
  undos.push(() => server.stop());
  return server.address;
}

/** The environment of a production process, but for limits that a load generator would meet at once. */
async function environment(
  postgres: { appUrl: string; ownerUrl: string },
  temporalAddress: string,
  bundle: string,
): Promise<NodeJS.ProcessEnv> {
  const key = () => randomBytes(32).toString('base64');
  return {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    PUBLIC_URL: 'https://castellan.bench.invalid',
    PORT: String(await freePort()),
    WORKER_PORT: String(await freePort()),
    DATABASE_URL: postgres.appUrl,
    DATABASE_OWNER_URL: postgres.ownerUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    WORKFLOW_BUNDLE: bundle,
    ENCRYPTION_KEYS: `k1:${key()}`,
    AUTH_SIGNING_KEYS: `s1:${key()}`,
    AUDIT_SIGNING_KEYS: `castellan-bench:${key()}`,
    ACCESS_TOKEN_TTL_SECONDS: '3600',
    // Sources that are read here, too.
    OUTBOUND_ALLOW: '127.0.0.1',
    RATE_LIMIT_PER_MINUTE: '1000000000',
    SIGN_IN_LIMIT_PER_ACCOUNT: '1000000000',
    SIGN_IN_LIMIT_PER_ADDRESS: '1000000000',
  };
}

async function startProgram(program: BenchProgram, folder: string): Promise<BenchProcess> {
  const startedAt = performance.now();
  const child = await startManagedProcess({
    command: program.command,
    args: program.args,
    logFile: join(folder, `${program.name}.log`),
    stopSignal: 'SIGTERM',
    env: program.env,
  });
  const url = `http://127.0.0.1:${program.port}`;
  await waitUntilReady(`${url}${program.readyPath}`, child, program.name);
  return {
    url,
    pid: child.pid,
    readyMs: performance.now() - startedAt,
    rssMb: () => rssMb(child.pid),
    stop: () => child.stop(),
  };
}

async function waitUntilReady(url: string, child: ManagedProcess, name: string): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const answer = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
    if (answer) return;
    if (child.hasEnded()) throw new Error(`${name} ended while starting: ${await child.recentLog()}`);
    if (performance.now() > deadline) throw new Error(`${name} was not ready in time: ${await child.recentLog()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resident set of a process from /proc; NaN where there is none. */
export async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** The admin's address, on the database of the application. */
function onDatabase(adminUrl: string, appUrl: string): string {
  const url = new URL(adminUrl);
  url.pathname = new URL(appUrl).pathname;
  return url.href;
}
