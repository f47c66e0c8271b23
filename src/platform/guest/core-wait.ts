import type { ProcessUsage } from './process-usage.ts';

/** The share of its time that a process may have waited for a core and still be to blame for passing its deadline. */
export const blamedWait = 0.25;
/** Less than this between the first look and the last says nothing. */
const leastMs = 50;

/** A look at a process. */
interface Look {
  readonly usage: ProcessUsage;
  readonly atMs: number;
}

/** How long a process has waited for a core since it was first looked at. */
export class CoreWait {
  #first: Look | undefined;
  /** The last look that found that it had run or ended a wait since the one before. */
  #moved: Look | undefined;
  #last: Look | undefined;

  /** @param atMs when it was looked at, on a clock that only goes forward. */
  see(usage: ProcessUsage, atMs: number): void {
    const look = { usage, atMs };
    this.#first ??= look;
    if (this.#moved === undefined || hasMoved(this.#moved.usage, usage)) this.#moved = look;
    this.#last = look;
  }

  /** CPU milliseconds since the first look. */
  cpuMs(): number {
    return (this.#last?.usage.cpuMs ?? 0) - (this.#first?.usage.cpuMs ?? 0);
  }

  /** True when it has waited much of the time; also until it has been watched: the machine was too busy even for us. */
  isMuch(): boolean {
    if (this.#first === undefined || this.#last === undefined) return true;
    const watchedMs = this.#last.atMs - this.#first.atMs;
    return watchedMs < leastMs || this.#waitedMs(this.#first, this.#last) > watchedMs * blamedWait;
  }

  #waitedMs(first: Look, last: Look): number {
    // The kernel adds a wait when it ends. Until then a process that could run and does not is waiting.
    const stillMs = last.usage.isRunnable && this.#moved !== undefined ? last.atMs - this.#moved.atMs : 0;
    return last.usage.waitedMs - first.usage.waitedMs + stillMs;
  }
}

function hasMoved(before: ProcessUsage, after: ProcessUsage): boolean {
  return after.cpuMs !== before.cpuMs || after.ranMs !== before.ranMs || after.waitedMs !== before.waitedMs;
}
