import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { startEmbeddedPostgres } from '../../../src/dev/embedded-postgres.ts';
import { startManagedProcess } from '../../../src/dev/managed-process.ts';
import { freePort, loopback } from '../../../src/dev/ports.ts';
import { runCommand } from '../../../src/dev/processes.ts';
import { environmentOf, exampleVariables, interpolate, readComposeFile, serviceOf } from './compose-file.ts';
import type { TemporalServerTools } from './temporal-server-tools.ts';

/** The services of `docker-compose.yml`, run as processes of this machine. */
export type ComposeStack = {
  readonly temporalAddress: string;
  readonly apiUrl: string;
  readonly workerUrl: string;
  /** Runs a service that ends, as often as its restart policy says. @throws Error with its output when it never succeeds */
  runJob(name: string): Promise<void>;
  /** Starts a service that goes on. */
  start(name: string): Promise<void>;
  /** What a started service has written last. */
  logOf(name: string): Promise<string>;
  /** Ends everything that was started, whatever fails. */
  stop(): Promise<void>;
};

type StackParts = {
  tools: TemporalServerTools;
  /** The CLI of Temporal, called `temporal`. */
  cli: string;
  /** Stands for the bundle that the image is built with. */
  workflowBundle: string;
};

const jobTimeoutMs = 180_000;
const root = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Prepares a folder, ports and PostgreSQL. The services get the commands and the environment of the file and nothing else,
 * with these differences:
 *
 * - `postgres:5432` and `temporal-postgres:5432` are one embedded PostgreSQL, on a free port of the loopback address;
 * - `temporal:7233` and `api:3000` are free ports there, and what is bound to all addresses is bound to it;
 * - `/etc/temporal` is the folder with the schema of the same version, `/var/lib/castellan` a temporary one;
 * - what the images bring is set here: HOME, the programs on the PATH, the broadcast address that the server's image
 *   finds out by itself, the server's inner ports, and the bundle of the workflows.
 */
export async function prepareComposeStack({ tools, cli, workflowBundle }: StackParts): Promise<ComposeStack> {
  const compose = readComposeFile();
  const folder = await mkdtemp(join(tmpdir(), 'castellan-compose-'));
  const undos: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  const stop = async () => {
    for (const undo of undos.splice(0).reverse()) await undo().catch(() => undefined);
  };
  const ports = await takePorts();
  try {
    await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
    const postgres = await startEmbeddedPostgres({
      folder,
      logFile: join(folder, 'postgres.log'),
      port: ports.postgres,
      passwords: {
        superuser: exampleVariables.POSTGRES_PASSWORD,
        owner: exampleVariables.CASTELLAN_OWNER_PASSWORD,
        app: exampleVariables.CASTELLAN_DB_PASSWORD,
      },
      settings: ['fsync=off', 'max_connections=400'],
    });
    undos.push(() => postgres.stop());
    await makeTemporalUser(postgres.adminUrl);
    for (const volume of ['checkpoints', 'archive']) await mkdir(join(folder, 'castellan', volume), { recursive: true });
  } catch (error) {
    await stop();
    throw error;
  }

  const here = placesHere(ports, { etc: tools.etc, state: join(folder, 'castellan') });
  const logFile = (name: string) => join(folder, `${name}.log`);

  /** Command and environment of a service on this machine. */
  const processOf = async (name: string) => {
    const one = serviceOf(compose, name);
    const words = [...one.entrypoint, ...one.command].map((word) => here(interpolate(word, exampleVariables)));
    const fromFile = environmentOf(one, exampleVariables);
    const env = {
      HOME: folder,
      PATH: [tools.programs, dirname(cli), process.env['PATH']].join(delimiter),
      ...Object.fromEntries(Object.entries(fromFile).map(([key, value]) => [key, here(value)])),
      ...(one.build === undefined ? {} : { PORT: String(ports.api), WORKER_PORT: String(ports.worker), WORKFLOW_BUNDLE: workflowBundle }),
      ...(name === 'temporal' ? await serverSettings() : {}),
    };
    const [command = 'temporal-server', ...args] = words.length === 0 ? ['temporal-server', 'start'] : words;
    return { command: command === 'node' ? process.execPath : command, args, env, restart: one.restart };
  };

  /** What the entrypoint of the server's image adds, its inner ports, and the mounted configuration. */
  const serverSettings = async () => {
    const [config] = serviceOf(compose, 'temporal').configs;
    const content = compose.configs[config?.source ?? '']?.content;
    if (content === undefined) throw new Error('docker-compose.yml gives the Temporal server no dynamic configuration.');
    const dynamicConfig = join(folder, 'dynamic-config.yaml');
    await writeFile(dynamicConfig, content);
    return {
      TEMPORAL_BROADCAST_ADDRESS: loopback,
      DYNAMIC_CONFIG_FILE_PATH: dynamicConfig,
      FRONTEND_GRPC_PORT: String(ports.temporal),
      ...Object.fromEntries(Object.entries(ports.inner).map(([key, port]) => [key, String(port)])),
    };
  };

  return {
    temporalAddress: `${loopback}:${ports.temporal}`,
    apiUrl: `http://${loopback}:${ports.api}`,
    workerUrl: `http://${loopback}:${ports.worker}`,
    runJob: async (name) => {
      const { command, args, env, restart } = await processOf(name);
      const restarts = Number(/^on-failure:(\d+)$/.exec(restart)?.[1] ?? 0);
      const deadline = Date.now() + jobTimeoutMs;
      for (let attempt = 0; ; attempt += 1) {
        const result = await runCommand(command, args, { timeoutMs: Math.max(1, deadline - Date.now()), env, cwd: root });
        if (result.ok) return;
        if (attempt === restarts || Date.now() >= deadline) throw new Error(`${name} failed ${attempt + 1} times: ${result.stderr.slice(-2_000)}`);
      }
    },
    start: async (name) => {
      const { command, args, env } = await processOf(name);
      const started = await startManagedProcess({
        command, args, env, cwd: root, logFile: logFile(name), stopSignal: 'SIGTERM',
      });
      undos.push(() => started.stop());
    },
    logOf: async (name) => (await readFile(logFile(name), 'utf8').catch(() => '')).slice(-4_000),
    stop,
  };
}

type Ports = { postgres: number; temporal: number; api: number; worker: number; inner: Readonly<Record<string, number>> };

/** The inner ports of the server by the variables of its own configuration template. */
const innerPorts = [
  'FRONTEND_HTTP_PORT', 'FRONTEND_MEMBERSHIP_PORT', 'MATCHING_GRPC_PORT', 'MATCHING_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT', 'HISTORY_MEMBERSHIP_PORT', 'WORKER_GRPC_PORT', 'WORKER_MEMBERSHIP_PORT',
] as const;

async function takePorts(): Promise<Ports> {
  const taken = new Set<number>();
  const take = async () => {
    let port = await freePort();
    while (taken.has(port)) port = await freePort();
    taken.add(port);
    return port;
  };
  const inner: Record<string, number> = {};
  for (const name of innerPorts) inner[name] = await take();
  return { postgres: await take(), temporal: await take(), api: await take(), worker: await take(), inner };
}

/** Puts addresses and paths of this machine for those of the containers. */
function placesHere(ports: Ports, paths: { etc: string; state: string }): (text: string) => string {
  const wholes = new Map([
    ['temporal-postgres', loopback],
    ['5432', String(ports.postgres)],
    ['0.0.0.0', loopback],
  ]);
  const parts: readonly [string, string][] = [
    ['@postgres:5432', `@${loopback}:${ports.postgres}`],
    ['temporal:7233', `${loopback}:${ports.temporal}`],
    ['http://api:3000', `http://${loopback}:${ports.api}`],
    ['/etc/temporal', paths.etc],
    ['/var/lib/castellan', paths.state],
  ];
  return (text) => wholes.get(text) ?? parts.reduce((changed, [there, here]) => changed.replaceAll(there, here), text);
}

/** As the image of PostgreSQL does at its first start: a superuser, and a database of its name. */
async function makeTemporalUser(adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (admin) => {
    await admin.query(`create role temporal login superuser password '${exampleVariables.TEMPORAL_DB_PASSWORD}'`);
    await admin.query('create database temporal owner temporal');
  });
}
