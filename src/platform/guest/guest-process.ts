import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../observability/logger.ts';
import { guestCores } from './guest-cores.ts';
import type { GuestMessage, HostMessage } from './guest-protocol.ts';
import { usageOf } from './process-usage.ts';
import type { ProcessUsage } from './process-usage.ts';

/**
 * How a guest ended. `deadline` and `memory`: we killed it for passing its bounds. `cpu`: the kernel did, for the same.
 * `crashed`: it ended by itself. `killed`: by a SIGKILL that was not ours, as of a machine without memory. `not-started`: it
 * never said that it was ready, so nothing of a guest was in it yet. `stalled`: the deadline passed while it mostly waited
 * for a core, on a machine that is too busy. `closed`: we closed it.
 */
export type GuestEnd = 'deadline' | 'memory' | 'cpu' | 'crashed' | 'killed' | 'not-started' | 'stalled' | 'closed';

const ownEnds: readonly GuestEnd[] = ['deadline', 'memory', 'cpu', 'crashed'];

/** The process of a guest ended before it answered. */
export class GuestEndedError extends Error {
  override readonly name = 'GuestEndedError';
  readonly end: GuestEnd;

  constructor(end: GuestEnd) {
    super(`The process of a guest ended: ${end}.`);
    this.end = end;
  }

  /** True when what the guest had us read or compute has ended the process, and not the machine or we ourselves. */
  get isOfGuest(): boolean {
    return ownEnds.includes(this.end);
  }
}

/** The bounds of one process of a guest. */
interface GuestBounds {
  /** Resident memory in MB, beyond which it is killed; watched where there is `/proc`. */
  readonly maxRssMb: number;
  /** CPU seconds in its whole life, after which the kernel ends it, even when this process is gone. */
  readonly cpuSeconds: number;
  /** How much everything else goes first: 0 to 19. */
  readonly niceness: number;
}

/** The bounds of one job. */
interface JobBounds {
  readonly deadlineMs: number;
  /** Until when the deadline is put off while the process waits for a core much of the time. */
  readonly busyDeadlineMs?: number;
  readonly cpuMs?: number;
  readonly signal?: AbortSignal;
}

/** A running process that works for one guest at a time. */
export interface Guest {
  /**
   * Has one job done. One at a time.
   *
   * @param bounds.deadlineMs after which the process is killed.
   * @param bounds.busyDeadlineMs where there is `/proc`, the deadline is put off, at most to this one, while the process has
   *   waited for a core much of the time: to kill it and begin again would cost a busy machine more. Without it, it is not.
   * @param bounds.cpuMs CPU time after which it is killed, too, where there is `/proc`. On a busy machine it comes later than
   *   the same time by the clock, so that what costs little is not refused because others cost much.
   * @param bounds.signal kills the process when it aborts.
   * @throws GuestEndedError when the process ends instead; the signal's reason.
   */
  ask(job: unknown, bounds: JobBounds): Promise<unknown>;
  /** CPU seconds it has used, as of its last answer. */
  cpuSeconds(): number;
  /** True until the process has ended. */
  isAlive(): boolean;
  /** Kills the process; what was asked fails. */
  close(): void;
}

const heapMb = 128;
const youngHeapMb = 8;
const startDeadlineMs = 30_000;
/** The share of its time that a process may have waited for a core and still be to blame for passing its deadline. */
const blamedWait = 0.25;
const watchEveryMs = 50;
const keptStderr = 2_048;
/** Between the signal that the kernel sends first and the kill. */
const cpuGraceSeconds = 2;

const alive = new Set<ChildProcess>();

/**
 * Starts a process that runs what a guest can shape: bytes of a tenant's database, patterns and schemas of a tenant. It has
 * no environment, none of our options, a bound heap, a low priority, not all cores, and a CPU limit that holds even when this
 * process dies. A thread would not do: V8 aborts the whole process when a thread's memory is at its end.
 *
 * @param entry a module that calls `answerHost`; TypeScript is run as it is.
 * @param signal gives the start up when it aborts; afterwards it has no effect.
 * @throws GuestEndedError `not-started`; the signal's reason.
 */
export async function startGuest(entry: URL, bounds: GuestBounds, log: Logger, signal?: AbortSignal): Promise<Guest> {
  signal?.throwIfAborted();
  const guest = new GuestProcess(launch(entry, bounds), bounds, log);
  const giveUp = () => guest.close();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await guest.started();
    return guest;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

function launch(entry: URL, { cpuSeconds, niceness }: GuestBounds): ChildProcess {
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

interface Question {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

class GuestProcess implements Guest {
  readonly #child: ChildProcess;
  readonly #bounds: GuestBounds;
  readonly #ready = Promise.withResolvers<void>();
  #question: Question | undefined;
  #isReady = false;
  #end: GuestEnd | undefined;
  /** Why we have killed it. */
  #reason: GuestEnd | undefined;
  #stderr = '';
  #cpuSeconds = 0;
  /** Whether it has waited for a core much of the time since it was asked, as far as it was seen. */
  #isStarved = false;

  constructor(child: ChildProcess, bounds: GuestBounds, log: Logger) {
    this.#child = child;
    this.#bounds = bounds;
    child.on('message', (message) => this.#hear(message as GuestMessage));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptStderr);
    });
    child.once('error', () => this.#ended('not-started'));
    child.once('exit', (_code, signal) => this.#ended(this.#isReady ? endOf(this.#reason, signal) : 'not-started'));
    child.once('close', () => {
      // For our log only: it may quote what the guest has sent.
      if (this.#end !== 'closed') log.warn({ end: this.#end, stderr: this.#stderr }, 'the process of a guest has ended');
    });
  }

  async started(): Promise<void> {
    const timer = setTimeout(() => this.#kill('not-started'), startDeadlineMs);
    await this.#ready.promise.finally(() => clearTimeout(timer));
  }

  async ask(job: unknown, { deadlineMs, busyDeadlineMs = deadlineMs, cpuMs = Infinity, signal }: JobBounds): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw new GuestEndedError(this.#end);
    if (this.#question !== undefined) throw new Error('A guest does one job at a time.');
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#question = { resolve, reject };
    const endDeadline = this.#killAfter(deadlineMs, busyDeadlineMs);
    const endWatch = this.#watch(cpuMs);
    const abort = () => this.close();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      // A failure to send is seen as the end of the process.
      this.#child.send({ job } satisfies HostMessage, () => undefined);
      return await promise;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      this.#question = undefined;
      endDeadline();
      endWatch();
      signal?.removeEventListener('abort', abort);
    }
  }

  cpuSeconds(): number {
    return this.#cpuSeconds;
  }

  isAlive(): boolean {
    return this.#end === undefined && this.#reason === undefined;
  }

  close(): void {
    this.#kill('closed');
  }

  #hear(message: GuestMessage): void {
    if (message.kind === 'ready') {
      this.#isReady = true;
      this.#ready.resolve();
      return;
    }
    this.#cpuSeconds = message.cpuSeconds;
    this.#question?.resolve(message.answer);
  }

  /** Kills at the deadline, which is put off for as long as the process waits for a core much of the time. @returns ends that. */
  #killAfter(deadlineMs: number, busyDeadlineMs: number): () => void {
    const startedMs = performance.now();
    let timer: NodeJS.Timeout;
    const wait = (ms: number): void => {
      timer = setTimeout(() => {
        const leftMs = busyDeadlineMs - (performance.now() - startedMs);
        if (!this.#isStarved) this.#kill('deadline');
        else if (leftMs <= 0) this.#kill('stalled');
        else wait(Math.min(deadlineMs * blamedWait, leftMs));
      }, ms);
    };
    wait(deadlineMs);
    return () => clearTimeout(timer);
  }

  #kill(reason: GuestEnd): void {
    if (this.#end !== undefined) return;
    this.#reason ??= reason;
    // A loop hears no other signal.
    this.#child.kill('SIGKILL');
  }

  #ended(end: GuestEnd): void {
    this.#end ??= end;
    const error = new GuestEndedError(this.#end);
    this.#question?.reject(error);
    this.#ready.reject(error);
  }

  /** Buffers do not count as heap, so the process is looked at from outside. Without `/proc` the other bounds remain. */
  #watch(cpuMs: number): () => void {
    const { pid } = this.#child;
    if (process.platform !== 'linux' || pid === undefined) return () => undefined;
    // Until it has been seen twice, the machine was too busy even for us.
    this.#isStarved = true;
    let before: (ProcessUsage & { readonly atMs: number }) | undefined;
    const timer = setInterval(() => {
      void usageOf(pid).then((usage) => {
        if (usage === null) return;
        const atMs = performance.now();
        if (before === undefined) before = { ...usage, atMs };
        else this.#isStarved = usage.waitedMs - before.waitedMs > (atMs - before.atMs) * blamedWait;
        if (usage.rssKilobytes > this.#bounds.maxRssMb * 1_024) this.#kill('memory');
        else if (usage.cpuMs - before.cpuMs > cpuMs) this.#kill('deadline');
      });
    }, watchEveryMs);
    return () => clearInterval(timer);
  }
}

function endOf(reason: GuestEnd | undefined, signal: NodeJS.Signals | null): GuestEnd {
  if (reason !== undefined) return reason;
  if (signal === 'SIGXCPU') return 'cpu';
  return signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' ? 'killed' : 'crashed';
}
