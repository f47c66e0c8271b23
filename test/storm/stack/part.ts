import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, runCommand } from '../../../src/dev/processes.ts';
import { errorMessage } from '../../../src/dev/startup-error.ts';

/** The parts of an installation that can fail. */
export const partNames = ['postgres', 'temporal', 'api-1', 'api-2', 'worker-1', 'worker-2'] as const;
export type PartName = (typeof partNames)[number];

/** A server while it runs. */
export interface RunningServer {
  readonly pid: number;
  /** Resolves with a short reason when it has ended. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const restartPauseMs = 1_000;
const startAttempts = 60;
/** How long an orderly end may take before it is made one. */
const orderlyEndMs = 25_000;

/**
 * A server of the storm's own that is killed and started again. Like the supervisor of a real installation it starts
 * again what has ended by itself, and writes that down.
 */
export class Part {
  readonly name: PartName;
  /** The signal for an orderly end. */
  readonly orderly: NodeJS.Signals;
  readonly #launch: () => Promise<RunningServer>;
  readonly #tell: (line: string) => void;
  #running: RunningServer | undefined;
  #isWanted = false;
  /** Why it has ended without having been asked to. */
  readonly unasked: string[] = [];

  constructor(options: {
    name: PartName;
    orderly: NodeJS.Signals;
    launch: () => Promise<RunningServer>;
    tell: (line: string) => void;
  }) {
    this.name = options.name;
    this.orderly = options.orderly;
    this.#launch = options.launch;
    this.#tell = options.tell;
  }

  get isUp(): boolean {
    return this.#isWanted && this.#running !== undefined;
  }

  /** Starts it and waits until it is ready; tries again, because what it needs may be away. */
  async start(): Promise<void> {
    this.#isWanted = true;
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#running = await this.#launch();
        break;
      } catch (error) {
        if (attempt === startAttempts || !this.#isWanted) throw error;
        this.#tell(`${this.name} did not start, it is tried again: ${errorMessage(error).split('\n', 1)[0] ?? ''}`);
        await sleep(restartPauseMs);
      }
    }
    const server = this.#running;
    void server.ended.then((reason) => this.#restartAfter(server, reason));
  }

  /** Sends a signal to all of its processes. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#running === undefined) return;
    for (const pid of await family(this.#running.pid)) sendSignal(pid, signal);
  }

  /** Ends it by a signal and waits until none of its processes is left. It stays down until it is started. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#running;
    this.#isWanted = false;
    if (server === undefined) return;
    // All of them by SIGKILL, as at a loss of power; otherwise the first one, which ends the others.
    const pids = await family(server.pid);
    for (const pid of signal === 'SIGKILL' ? pids : [server.pid]) sendSignal(pid, signal);
    const inTime = await Promise.race([server.ended.then(() => true), sleep(orderlyEndMs, false, { ref: false })]);
    if (!inTime) {
      this.#tell(`${this.name} has not ended ${orderlyEndMs / 1_000} s after ${signal} and is killed`);
      for (const pid of pids) sendSignal(pid, 'SIGKILL');
      await server.ended;
    }
    while (pids.some(isAlive)) await sleep(20);
    this.#running = undefined;
  }

  /** Lets it go on where it was stopped, and ends it. */
  async close(): Promise<void> {
    this.#isWanted = false;
    await this.signal('SIGCONT');
    await this.#running?.stop();
    this.#running = undefined;
  }

  async #restartAfter(server: RunningServer, reason: string): Promise<void> {
    if (!this.#isWanted || this.#running !== server) return;
    this.#running = undefined;
    this.unasked.push(reason);
    this.#tell(`${this.name} has ended by itself (${reason}) and is started again`);
    await sleep(restartPauseMs);
    if (this.#isWanted && this.#running === undefined) await this.start().catch((error: unknown) => this.#tell(`${this.name}: ${errorMessage(error)}`));
  }
}

/** A process of ours and those that it has started: PostgreSQL has one for each connection. */
async function family(pid: number): Promise<number[]> {
  const { stdout } = await runCommand('ps', ['-o', 'pid=', '--ppid', String(pid)], { timeoutMs: 5_000 });
  return [pid, ...stdout.split('\n').map(Number).filter((child) => child > 0)];
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended between the look and the signal.
  }
}
