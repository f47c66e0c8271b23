import { writeFile } from 'node:fs/promises';

import { Connection } from '@temporalio/client';

import { startManagedProcess, type ManagedProcess } from './managed-process.ts';
import { loopback, assertFreePort, whyNoAnswer } from './ports.ts';
import { runningProcessOf, pidFileContent, waitForEnd } from './processes.ts';
import { errorCode, StartupError } from './startup-error.ts';

/** A running Temporal dev server. */
export type TemporalServer = {
  /** `host:port` of its gRPC endpoint. */
  readonly address: string;
  /** Address of Temporal Web, unless it was started without. */
  readonly webUrl: string | undefined;
  readonly pid: number;
  /** Resolves with a short reason when the server has ended. */
  readonly ended: Promise<string>;
  /** Stops it; running workflows go on when it is started with the same database. */
  stop(): Promise<void>;
};

/** How to run the dev server. */
export type TemporalServerOptions = {
  executable: string;
  /** SQLite file with the state of all workflows. */
  databaseFile: string;
  logFile: string;
  port: number;
  /** Port of Temporal Web; without it none is started. */
  webPort?: number;
  namespace: string;
  /** Further `key=value` of the server's dynamic configuration. */
  dynamicConfig?: readonly string[];
  progress?: (step: string) => void;
};

const startTimeoutMs = 60_000;
const stopTimeoutMs = 15_000;

/**
 * The dev server's single shard polls its queues at most 20 times a second by default, so every workflow task waits
 * up to 50 ms. These limits exist to protect shared databases; SQLite on this machine needs no such protection.
 */
const pollLimits = ['transferProcessorMaxPollRPS', 'timerProcessorMaxPollRPS', 'visibilityProcessorMaxPollRPS'];

/**
 * Starts Temporal's dev server on the loopback address and waits until its namespace answers.
 *
 * Search attributes are not registered here: the worker does that on every kind of server.
 *
 * @throws StartupError with one line when a port is taken or the server ends while starting
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const pidFile = `${options.logFile}.pid`; // where it can be written even if the database cannot
  await stopLeftover(pidFile, options);
  await assertFreePort(
    options.port,
    'Temporal',
    `set TEMPORAL_PORT to another port (if a Temporal server runs there, set TEMPORAL_ADDRESS=${loopback}:${options.port})`,
  );
  if (options.webPort !== undefined) {
    await assertFreePort(options.webPort, 'Temporal Web', 'set TEMPORAL_WEB_PORT to another port');
  }
  options.progress?.('starting the Temporal dev server');
  const server = await startManagedProcess({
    command: options.executable,
    args: serverArguments(options),
    logFile: options.logFile,
    stopSignal: 'SIGTERM',
  });
  const address = `${loopback}:${options.port}`;
  try {
    await writeFile(pidFile, await pidFileContent(server.pid), { mode: 0o600 });
    await waitUntilReady(server, options);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    address,
    webUrl: options.webPort === undefined ? undefined : `http://${loopback}:${options.webPort}`,
    pid: server.pid,
    ended: server.ended,
    stop: () => server.stop(),
  };
}

/**
 * Ends the server that a killed Castellan has left on this database. Its guard may be stopping it already, but two
 * servers on one SQLite file lose the shard for good: every call then fails with "shard status unknown".
 */
async function stopLeftover(pidFile: string, options: TemporalServerOptions): Promise<void> {
  const pid = await runningProcessOf(pidFile);
  if (pid === undefined) return;
  options.progress?.(`stopping the Temporal that a crash has left behind (pid ${pid})`);
  askToStop(pid);
  if (!(await waitForEnd(pid, stopTimeoutMs))) {
    throw new StartupError(`A Temporal on ${options.databaseFile} (pid ${pid}) does not stop: end that process.`);
  }
}

function askToStop(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error; // it has gone by itself between the look and the signal
  }
}

function serverArguments(options: TemporalServerOptions): string[] {
  return [
    'server', 'start-dev',
    '--db-filename', options.databaseFile,
    '--ip', loopback,
    '--port', String(options.port),
    ...(options.webPort === undefined ? ['--headless'] : ['--ui-port', String(options.webPort)]),
    '--namespace', options.namespace,
    '--log-level', 'error',
    ...[...pollLimits.map((limit) => `history.${limit}=5000`), ...(options.dynamicConfig ?? [])].flatMap((value) => [
      '--dynamic-config-value', value,
    ]),
  ];
}

/** Waits until the namespace answers; a server that ends before gives its reason in its log. */
async function waitUntilReady(server: ManagedProcess, options: TemporalServerOptions): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  // The bare port first: a gRPC channel that was refused once waits a second before it tries again.
  await poll(server, options, deadline, async () => (await whyNoAnswer(loopback, options.port, 1_000)) === undefined);
  const connection = Connection.lazy({ address: `${loopback}:${options.port}` });
  try {
    await poll(server, options, deadline, () =>
      connection
        .withDeadline(Date.now() + 1_000, () =>
          connection.workflowService.describeNamespace({ namespace: options.namespace }),
        )
        .then(() => true, () => false),
    );
  } finally {
    await connection.close();
  }
}

async function poll(
  server: ManagedProcess,
  options: TemporalServerOptions,
  deadline: number,
  isReady: () => Promise<boolean>,
): Promise<void> {
  while (!(await isReady())) {
    if (server.hasEnded()) {
      const last = (await server.recentLog()).trim().split('\n').at(-1) ?? '';
      throw new StartupError(`Temporal ended while starting (${await server.ended}): ${last} See ${options.logFile}`);
    }
    if (Date.now() >= deadline) {
      throw new StartupError(
        `Temporal did not answer within ${startTimeoutMs / 1_000} s: see ${options.logFile}, or remove ` +
          `${options.databaseFile} if it is damaged.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
