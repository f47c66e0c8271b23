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
  /** `moved` is the last look that found that it had run or ended a wait since the one before. */
  #seen: { readonly first: Look; readonly moved: Look; readonly last: Look } | undefined;

  /** @param atMs when it was looked at, on a clock that only goes forward. */
  see(usage: ProcessUsage, atMs: number): void {
    const last = { usage, atMs };
    const { first, moved } = this.#seen ?? { first: last, moved: last };
    this.#seen = { first, moved: hasMoved(moved.usage, usage) ? last : moved, last };
  }

  /** CPU milliseconds since the first look. */
  cpuMs(): number {
    return this.#seen === undefined ? 0 : this.#seen.last.usage.cpuMs - this.#seen.first.usage.cpuMs;
  }

  /** True when it has waited much of the time; also until it has been watched: the machine was too busy even for us. */
  isMuch(): boolean {
    if (this.#seen === undefined) return true;
    const { first, moved, last } = this.#seen;
    const watchedMs = last.atMs - first.atMs;
    // The kernel adds a wait when it ends. Until then a process that could run and does not is waiting.
    const stillMs = last.usage.isRunnable ? last.atMs - moved.atMs : 0;
    const waitedMs = last.usage.waitedMs - first.usage.waitedMs + stillMs;
    return watchedMs < leastMs || waitedMs > watchedMs * blamedWait;
  }
}

function hasMoved(before: ProcessUsage, after: ProcessUsage): boolean {
  return after.cpuMs !== before.cpuMs || after.ranMs !== before.ranMs || after.waitedMs !== before.waitedMs;
}
