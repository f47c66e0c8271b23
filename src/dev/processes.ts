import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import { errorCode, errorMessage } from './startup-error.ts';

const run = promisify(execFile);

/** What a finished helper command printed and how it ended. */
export type CommandResult = { ok: boolean; stdout: string; stderr: string };

/**
 * Runs a command to its end and never throws: a missing program or a non-zero exit is `ok: false` with the reason in
 * `stderr`.
 *
 * After `timeoutMs`, or when `signal` says so, the command is killed and counts as failed.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; env?: NodeJS.ProcessEnv; cwd?: string; signal?: AbortSignal },
): Promise<CommandResult> {
  try {
    const { stdout, stderr } = await run(command, args, {
      timeout: options.timeoutMs,
      env: options.env ?? process.env,
      cwd: options.cwd,
      signal: options.signal,
      maxBuffer: 16 * 1024 * 1024,
    });
    return { ok: true, stdout, stderr };
  } catch (error) {
    const stderr = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr) : '';
    return { ok: false, stdout: '', stderr: stderr.trim() === '' ? errorMessage(error) : stderr };
  }
}

/** Whether a process with this id exists; one of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** The command line of a running process, or undefined where the system does not say. */
export async function commandLine(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return raw === '' ? undefined : raw.split('\0').join(' ').trim();
  }
  const listed = await runCommand('ps', ['-o', 'args=', '-p', String(pid)], { timeoutMs: 5_000 });
  return listed.ok ? listed.stdout.trim() : undefined;
}

/**
 * A mark that distinguishes a process from a later one with the same id (ids are reused, in containers at once), or
 * undefined where the system does not say.
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // The second field is the program's name in parentheses and may hold blanks; the start time is the 22nd field.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  }
  const listed = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)], { timeoutMs: 5_000 });
  return listed.ok ? listed.stdout.trim() : undefined;
}

/** Waits until the process is gone; false when it still runs after `timeoutMs`. */
export async function waitForEnd(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(pid)) {
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}

/** What a pid file says: the process, and the mark that distinguishes it from a later one with the same id. */
export async function pidFileContent(pid: number): Promise<string> {
  return `${pid}\n${(await startMark(pid)) ?? ''}\n`;
}

/** The process that a pid file names, if it still runs and is that process. */
export async function runningProcessOf(pidFile: string): Promise<number | undefined> {
  const content = await readFile(pidFile, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  });
  const [pidLine = '', mark = ''] = content.split('\n');
  const pid = Number(pidLine);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  const markNow = await startMark(pid);
  return mark === '' || markNow === undefined || markNow === mark ? pid : undefined;
}
