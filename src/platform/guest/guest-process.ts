import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../observability/logger.ts';
import { CoreWait, blamedWait } from './core-wait.ts';
import { launchGuest } from './guest-launch.ts';
import type { GuestBounds } from './guest-launch.ts';
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

const startDeadlineMs = 30_000;
const watchEveryMs = 50;
/** Where there is `/proc`. */
const tellsWaits = process.platform === 'linux';
const keptStderr = 2_048;

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
  const guest = new GuestProcess(launchGuest(entry, bounds), bounds, log);
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
    const wait = new CoreWait();
    const endDeadline = this.#killAfter(deadlineMs, busyDeadlineMs, wait);
    const endWatch = this.#watch(cpuMs, wait);
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
  #killAfter(deadlineMs: number, busyDeadlineMs: number, coreWait: CoreWait): () => void {
    const startedMs = performance.now();
    const asked = this.#question;
    let timer: NodeJS.Timeout;
    const judge = async (): Promise<void> => {
      // What the watch has seen last may be old on a machine that is too busy for the watch.
      await this.#look(coreWait);
      if (this.#question !== asked) return;
      const leftMs = busyDeadlineMs - (performance.now() - startedMs);
      if (!tellsWaits || !coreWait.isMuch()) this.#kill('deadline');
      else if (leftMs <= 0) this.#kill('stalled');
      else wait(Math.min(deadlineMs * blamedWait, leftMs));
    };
    const wait = (ms: number): void => {
      timer = setTimeout(() => void judge(), ms);
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
  #watch(cpuMs: number, coreWait: CoreWait): () => void {
    const asked = this.#question;
    const look = async (): Promise<void> => {
      const usage = await this.#look(coreWait);
      if (usage === null || this.#question !== asked) return;
      if (usage.rssKilobytes > this.#bounds.maxRssMb * 1_024) this.#kill('memory');
      else if (coreWait.cpuMs() > cpuMs) this.#kill('deadline');
    };
    const timer = setInterval(() => void look(), watchEveryMs);
    return () => clearInterval(timer);
  }

  async #look(coreWait: CoreWait): Promise<ProcessUsage | null> {
    const { pid } = this.#child;
    if (!tellsWaits || pid === undefined) return null;
    const usage = await usageOf(pid);
    if (usage !== null) coreWait.see(usage, performance.now());
    return usage;
  }
}

function endOf(reason: GuestEnd | undefined, signal: NodeJS.Signals | null): GuestEnd {
  if (reason !== undefined) return reason;
  if (signal === 'SIGXCPU') return 'cpu';
  return signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' ? 'killed' : 'crashed';
}
