import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { guestCores } from './guest-cores.ts';

/** The bounds of one process of a guest. */
export interface GuestBounds {
  /** Resident memory in MB, beyond which it is killed; watched where there is `/proc`. */
  readonly maxRssMb: number;
  /** CPU seconds in its whole life, after which the kernel ends it, even when this process is gone. */
  readonly cpuSeconds: number;
  /** How much everything else goes first: 0 to 19. */
  readonly niceness: number;
}

const heapMb = 128;
const youngHeapMb = 8;
/** Between the signal that the kernel sends first and the kill. */
const cpuGraceSeconds = 2;

const alive = new Set<ChildProcess>();

/** Starts the process of a guest within its bounds. It says nothing until its module has answered. */
export function launchGuest(entry: URL, { cpuSeconds, niceness }: GuestBounds): ChildProcess {
  const node = [
    process.execPath,
    // Options of this process, such as --inspect and loaders, are not handed on.
    `--max-old-space-size=${heapMb}`,
    `--max-semi-space-size=${youngHeapMb}`,
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(entry),
  ];
  // The limits bind the process that the shell becomes; no core file, because it would hold a password.
  const cores = guestCores();
  // Where there is no `taskset`, or it may not, the priority alone has to do.
  const confined = cores === null ? '' : `taskset -cp ${cores} $$ >/dev/null 2>&1; `;
  const limits = `ulimit -c 0; ulimit -S -t ${cpuSeconds}; ulimit -H -t ${cpuSeconds + cpuGraceSeconds}; ${confined}exec "$@"`;
  const [command = '', ...args] = process.platform === 'win32' ? node : ['/bin/sh', '-c', limits, 'sh', ...node];
  // A session of its own: where Linux shares the cores among sessions, priorities count inside of one only.
  const child = spawn(command, args, { env: {}, detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  // It keeps no process from ending: while something is asked, the deadline does.
  child.unref();
  child.channel?.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  if (alive.size === 0) process.once('exit', killAll);
  alive.add(child);
  child.once('close', () => {
    alive.delete(child);
    if (alive.size === 0) process.off('exit', killAll);
  });
  if (child.pid !== undefined) yieldTo(child.pid, niceness);
  return child;
}

/** Has everything else go before a process, which has no threads yet: they inherit it. */
function yieldTo(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already, which its exit tells.
  }
  try {
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // Cores are not shared among sessions here, or not by us.
  }
}

function killAll(): void {
  for (const child of alive) child.kill('SIGKILL');
}
