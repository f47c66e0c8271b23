import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';

/** A server that we started and must stop again. */
export type ManagedProcess = {
  readonly pid: number;
  /** Resolves once with a short reason when the process has ended, whatever ended it. */
  readonly ended: Promise<string>;
  /** Whether it has ended already. */
  hasEnded(): boolean;
  /** What it has written to its log since this start (its last 4 KiB). */
  recentLog(): Promise<string>;
  /** Asks it to stop, waits, kills it after `graceMs`; no effect when it has ended. */
  stop(graceMs?: number): Promise<void>;
};

/** How to start a {@link ManagedProcess}. */
export type ManagedProcessOptions = {
  command: string;
  args: readonly string[];
  /** Standard output and error are appended to this file. */
  logFile: string;
  /** The signal that means "stop in an orderly way" to this program. */
  stopSignal: 'SIGINT' | 'SIGTERM';
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Run as this account (only root may ask for that). */
  account?: { uid: number; gid: number };
};

const defaultGraceMs = 15_000;

/**
 * Starts a server as a child of this process, in a session of its own, with a guard.
 *
 * A session of its own, because Ctrl-C goes to the whole foreground group and would stop the database before the
 * API that still works with it; we stop things ourselves, in the right order. The guard is a shell that blocks on a
 * pipe from us: when this process is gone for whatever reason, SIGKILL included, the pipe closes and the guard
 * passes the stop signal on, so that nothing is left behind.
 *
 * @throws the spawn error (`ENOENT`, `EACCES`) when the program cannot be run
 */
export async function startManagedProcess(options: ManagedProcessOptions): Promise<ManagedProcess> {
  const log = openSync(options.logFile, 'a', 0o600);
  const logStart = (await stat(options.logFile)).size;
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: options.env ?? process.env,
    cwd: options.cwd,
    ...options.account,
  });
  closeSync(log);

  let hasEnded = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      hasEnded = true;
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.command} started without a process id`);
  const dismissGuard = startGuard(pid, options.stopSignal);
  void ended.then(dismissGuard);

  return {
    pid,
    ended,
    hasEnded: () => hasEnded,
    recentLog: () => readTail(options.logFile, logStart),
    async stop(graceMs = defaultGraceMs) {
      if (hasEnded) return;
      child.kill(options.stopSignal);
      const killTimer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(killTimer);
    },
  };
}

/** Starts the shell that outlives this process just long enough to stop the child; returns the function that ends it. */
function startGuard(pid: number, signal: 'SIGINT' | 'SIGTERM'): () => void {
  if (process.platform === 'win32') return () => undefined;
  const guard = spawn('/bin/sh', ['-c', `cat >/dev/null; kill -s ${signal.slice(3)} ${pid} 2>/dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => undefined); // a system without /bin/sh has no guard; an orderly stop still works
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  // By SIGKILL to its whole session, so that the shell does not go on to its second command when `cat` ends.
  return () => {
    if (guard.pid === undefined || guard.exitCode !== null || guard.signalCode !== null) return;
    try {
      process.kill(-guard.pid, 'SIGKILL');
    } catch {
      // It ended by itself between the check and the kill.
    }
  };
}

async function readTail(path: string, from: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - 4_096);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(0, size - start)), 0, undefined, start);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}
