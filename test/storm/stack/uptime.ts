import { setTimeout as sleep } from 'node:timers/promises';
import { answersOk } from './storm-stack.ts';

/** A look at the installation: whether a worker worked at this time, milliseconds since the epoch. */
export interface Look {
  readonly at: number;
  readonly isUp: boolean;
}

const pauseMs = 250;

/**
 * Looks again and again whether some worker says that it is ready, which it does when Temporal answers, it polls there, and the
 * database keeps it informed. So one question tells of all the parts that a timer needs.
 */
export class Uptime {
  readonly looks: Look[] = [];
  #isEnding = false;
  #looking: Promise<void> = Promise.resolve();

  start(workerUrls: readonly string[]): void {
    const look = async () => {
      while (!this.#isEnding) {
        const ready = await Promise.all(workerUrls.map((url) => answersOk(`${url}/health/ready`)));
        this.looks.push({ at: Date.now(), isUp: ready.includes(true) });
        await sleep(pauseMs);
      }
    };
    this.#looking = look();
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await this.#looking;
  }
}

/** For how long, in milliseconds, everything was up between two times: the spans of which both ends were seen up. */
export function upBetween(looks: readonly Look[], from: number, to: number): number {
  let sum = 0;
  for (const [index, later] of looks.entries()) {
    const earlier = looks[index - 1];
    if (earlier === undefined || !earlier.isUp || !later.isUp) continue;
    sum += Math.max(0, Math.min(to, later.at) - Math.max(from, earlier.at));
  }
  return sum;
}
