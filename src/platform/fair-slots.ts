/** So many wait already that another one is refused. */
export class SlotsFullError extends Error {
  override readonly name = 'SlotsFullError';
}

interface Waiter {
  readonly key: string;
  readonly begin: () => void;
}

interface SlotOptions {
  /** How much work runs at once. */
  readonly slots: number;
  /** How much of one key runs at once; all slots when left out. */
  readonly perKey?: number;
  /** How much may wait in all; without end when left out. */
  readonly maxWaiting?: number;
  /** How much of one key may wait; as much as in all when left out. */
  readonly maxWaitingPerKey?: number;
}

/**
 * Bounds how much work of a kind runs at once in this process, with a fair share for each key (a tenant): of those who wait,
 * one whose key has the least running, and was served longest ago, is next; so one tenant's queue does not hold up another's
 * single request.
 */
export class FairSlots {
  readonly #options: Required<SlotOptions>;
  readonly #running = new Map<string, number>();
  /** When a key was served last, as a number in the order of turns. */
  readonly #served = new Map<string, number>();
  #waiting: Waiter[] = [];
  #used = 0;
  #turns = 0;

  constructor({ slots, perKey = slots, maxWaiting = Infinity, maxWaitingPerKey = maxWaiting }: SlotOptions) {
    this.#options = { slots, perKey, maxWaiting, maxWaitingPerKey };
  }

  /** True while somebody waits who could run if a slot were free: long work should give its slot back soon. */
  isAwaited(): boolean {
    return this.#waiting.some(({ key }) => this.#runningOf(key) < this.#options.perKey);
  }

  /**
   * Runs work as soon as there is a slot for its key.
   *
   * @throws SlotsFullError when too many wait; the signal's reason when it aborts before the work has begun.
   */
  async run<Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    await this.#enter(key, signal);
    try {
      return await work();
    } finally {
      this.#leave(key);
    }
  }

  async #enter(key: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#used < this.#options.slots && this.#runningOf(key) < this.#options.perKey) return this.#take(key);
    const ofKey = this.#waiting.filter((waiter) => waiter.key === key).length;
    if (this.#waiting.length >= this.#options.maxWaiting || ofKey >= this.#options.maxWaitingPerKey) throw new SlotsFullError();
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter);
        reject(signal?.reason);
      };
      const begin = () => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const waiter: Waiter = { key, begin };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #take(key: string): void {
    this.#used += 1;
    this.#running.set(key, this.#runningOf(key) + 1);
    this.#turns += 1;
    this.#served.set(key, this.#turns);
  }

  #leave(key: string): void {
    this.#used -= 1;
    const left = this.#runningOf(key) - 1;
    if (left === 0) this.#running.delete(key);
    else this.#running.set(key, left);
    const next = this.#next();
    if (next !== undefined) {
      this.#waiting = this.#waiting.filter((one) => one !== next);
      // Taken here and not by the one who waited: nobody may get in between.
      this.#take(next.key);
      next.begin();
    }
    if (left === 0 && next?.key !== key && !this.#waiting.some((waiter) => waiter.key === key)) this.#served.delete(key);
  }

  #next(): Waiter | undefined {
    const able = this.#waiting.filter(({ key }) => this.#runningOf(key) < this.#options.perKey);
    const servedAt = (key: string) => this.#served.get(key) ?? 0;
    // The sort is stable: of one key, who came first is first.
    const inOrder = able.toSorted(
      (one, other) => this.#runningOf(one.key) - this.#runningOf(other.key) || servedAt(one.key) - servedAt(other.key),
    );
    return inOrder[0];
  }

  #runningOf(key: string): number {
    return this.#running.get(key) ?? 0;
  }
}
