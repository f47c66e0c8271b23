import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { bootstrapDatabase, type DatabaseAddresses, withClient } from './bootstrap-database.ts';
import { startManagedProcess, type ManagedProcess } from './managed-process.ts';
import { loopback, assertFreePort } from './ports.ts';
import {
  findPostgresBinaries,
  postgresLauncher,
  type PostgresBinaries,
  type PostgresLauncher,
} from './postgres-binaries.ts';
import { commandLine, isAlive, waitForEnd } from './processes.ts';
import { errorCode, StartupError } from './startup-error.ts';

/** A running PostgreSQL with the roles and the database of Castellan. */
export type EmbeddedPostgres = DatabaseAddresses & {
  readonly pid: number;
  /** Resolves with a short reason when the server has ended. */
  readonly ended: Promise<string>;
  /** Fast shutdown: open transactions are rolled back, the data are written. */
  stop(): Promise<void>;
};

/** How to run it; everything is kept inside `folder`. */
export type EmbeddedPostgresOptions = {
  /** Holds the cluster (`postgres/`); created when missing. */
  folder: string;
  logFile: string;
  port: number;
  /** Without one of the retention there is no login for it. */
  passwords: { superuser: string; owner: string; app: string; retention?: string };
  /** Further server settings, e.g. `fsync=off` for tests. */
  settings?: readonly string[];
  /** The message for the user when the port is taken. */
  portRemedy?: string;
  progress?: (step: string) => void;
};

const superuser = 'postgres';
const database = 'castellan';
const startTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;

/**
 * Starts PostgreSQL 18 on the loopback address in the given folder: creates the cluster on the first start, removes
 * what a crash has left, waits until it answers, and creates roles and database where they are missing.
 *
 * @throws StartupError with one line for everything that the user can correct
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const cluster = join(options.folder, 'postgres');
  const progress = options.progress ?? (() => undefined);
  const binaries = await findPostgresBinaries();
  const launcher = await postgresLauncher([dirname(binaries.postgres), options.folder]);

  if (await isInitialised(cluster)) {
    await clearLeftovers(cluster, progress);
  } else {
    progress('creating the database cluster');
    await initialise(cluster, binaries, launcher, options);
  }
  await assertFreePort(options.port, 'PostgreSQL', options.portRemedy ?? 'set POSTGRES_PORT to another port');

  progress('starting PostgreSQL');
  const { command, args } = launcher.wrap(binaries.postgres, serverArguments(cluster, options));
  const server = await startManagedProcess({
    command,
    args,
    logFile: options.logFile,
    stopSignal: 'SIGINT',
    account: launcher.spawnAs,
    cwd: cluster,
  });
  const url = (user: string, password: string, name: string) =>
    `postgres://${user}:${encodeURIComponent(password)}@${loopback}:${options.port}/${name}`;
  const addresses: DatabaseAddresses = {
    adminUrl: url(superuser, options.passwords.superuser, 'postgres'),
    ownerUrl: url('castellan_owner', options.passwords.owner, database),
    appUrl: url('castellan', options.passwords.app, database),
    ...(options.passwords.retention === undefined
      ? {}
      : { retentionUrl: url('castellan_archivist', options.passwords.retention, database) }),
  };
  try {
    await waitUntilReady(server, addresses.adminUrl, options.logFile);
    await bootstrapDatabase(addresses);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...addresses, pid: server.pid, ended: server.ended, stop: () => server.stop() };
}

async function isInitialised(cluster: string): Promise<boolean> {
  return (await readIfThere(join(cluster, 'PG_VERSION'))) !== undefined;
}

/** Creates the cluster; an incomplete one of an interrupted first start is deleted. */
async function initialise(
  cluster: string,
  binaries: PostgresBinaries,
  launcher: PostgresLauncher,
  options: EmbeddedPostgresOptions,
): Promise<void> {
  const making = `${cluster}.making`;
  await rm(making, { recursive: true, force: true });
  await rm(cluster, { recursive: true, force: true });
  await mkdir(making, { recursive: true, mode: 0o700 });
  const passwordFile = join(options.folder, 'initdb.password');
  try {
    await writeFile(passwordFile, `${options.passwords.superuser}\n`, { mode: 0o600 });
    if (launcher.account !== undefined) {
      await chown(making, launcher.account.uid, launcher.account.gid);
      await chown(passwordFile, launcher.account.uid, launcher.account.gid);
    }
    const { command, args } = launcher.wrap(binaries.initdb, [
      `--pgdata=${making}`, `--username=${superuser}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256',
      // The same order and case rules on every machine, whatever locales it has.
      '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '--no-sync',
    ]);
    const initdb = await startManagedProcess({
      command,
      args,
      logFile: options.logFile,
      stopSignal: 'SIGINT',
      account: launcher.spawnAs,
      cwd: making,
    });
    const reason = await initdb.ended;
    if (reason !== 'exit code 0') {
      throw new StartupError(
        `PostgreSQL could not create its data (${reason}): ${lastLine(await initdb.recentLog())} See ${options.logFile}`,
      );
    }
    await rename(making, cluster);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function serverArguments(cluster: string, options: EmbeddedPostgresOptions): string[] {
  const settings = [
    `listen_addresses=${loopback}`, `port=${options.port}`,
    'unix_socket_directories=', // TCP only; and no path that could be too long for a socket
    'lc_messages=C', 'log_timezone=UTC', 'timezone=UTC', 'max_connections=200',
    ...(options.settings ?? []),
  ];
  return ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting])];
}

/**
 * Handles the lock that a crash leaves behind. We hold the data folder, so a PostgreSQL that still runs on it is
 * an orphan of ours: it gets the time to finish its shutdown. An id that now belongs to another program is ignored.
 */
async function clearLeftovers(cluster: string, progress: (step: string) => void): Promise<void> {
  const lockPath = join(cluster, 'postmaster.pid');
  const content = await readIfThere(lockPath);
  if (content === undefined) return;
  const pid = Number(content.split('\n', 1)[0]);
  if (Number.isSafeInteger(pid) && pid > 0 && isAlive(pid) && (await servesCluster(pid, cluster))) {
    progress(`stopping the PostgreSQL that a crash has left behind (pid ${pid})`);
    process.kill(pid, 'SIGINT');
    if (!(await waitForEnd(pid, stopTimeoutMs))) {
      throw new StartupError(
        `Another Castellan runs on this folder (pid ${pid}, PostgreSQL) and does not stop: end that process, or set ` +
          'CASTELLAN_DATA to another folder.',
      );
    }
  }
  await rm(lockPath, { force: true });
}

/** Where the system does not say what a process is, the lock file is trusted. */
async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  const command = await commandLine(pid);
  return command === undefined || (command.includes('postgres') && command.includes(cluster));
}

/** Connects until the server answers; a server that ends before gives its reason in its log. */
async function waitUntilReady(server: ManagedProcess, adminUrl: string, logFile: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    try {
      await withClient(adminUrl, (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (server.hasEnded()) {
        const reason = await server.ended;
        const last = lastLine(await server.recentLog());
        throw new StartupError(`PostgreSQL ended while starting (${reason}): ${last} See ${logFile}`, { cause: error });
      }
      const code = errorCode(error);
      if (code === '28P01') {
        throw new StartupError(
          'The passwords of this data folder are not the ones its database was made with: bring secrets.json back, ' +
            'or remove the folder to begin anew.',
          { cause: error },
        );
      }
      const isStarting = code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === '57P03';
      if (!isStarting || Date.now() >= deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}
