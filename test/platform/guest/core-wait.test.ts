import { describe, expect, it } from '@jest/globals';
import { CoreWait } from '../../../src/platform/guest/core-wait.ts';

type Looks = readonly (readonly [atMs: number, cpuMs: number, ranMs: number, waitedMs: number, isRunnable?: boolean])[];

function waitOf(looks: Looks): CoreWait {
  const wait = new CoreWait();
  for (const [atMs, cpuMs, ranMs, waitedMs, isRunnable = true] of looks) wait.see({ cpuMs, ranMs, waitedMs, isRunnable, rssKilobytes: 1 }, atMs);
  return wait;
}

/** A look every 50 ms. */
function every50(count: number, usageAt: (atMs: number) => readonly [cpuMs: number, ranMs: number, waitedMs: number, isRunnable?: boolean]): Looks {
  return Array.from({ length: count }, (_, at) => [at * 50, ...usageAt(at * 50)] as const);
}

describe('T-21: who is to blame for a deadline that passed', () => {
  it.each<[string, Looks]>([
    ['what computes all the time', every50(9, (ms) => [ms, ms, 0])],
    ['what sleeps, as for an answer of a database', every50(9, () => [30, 30, 1, false])],
    ['what shares its core a little', every50(9, (ms) => [ms * 0.8, ms * 0.8, ms * 0.2])],
    ['what computes where the kernel tells no waits', every50(9, (ms) => [ms, 0, 0])],
    ['what has waited at first only', [[0, 0, 0, 0], [50, 0, 1, 49], ...every50(12, (ms) => [ms, 1 + ms, 49] as const).map(([at, ...usage]) => [at + 50, ...usage] as const)]],
  ])('the guest: %s', (_name, looks) => {
    expect(waitOf(looks).isMuch()).toBe(false);
  });

  it.each<[string, Looks]>([
    ['it shares its core with another', every50(9, (ms) => [ms / 2, ms / 2, ms / 2])],
    // As measured beside four loops on its core: the kernel tells a wait of a second when it is over.
    ['its wait has not ended yet', every50(8, () => [10, 9.36, 2_277])],
    ['it waits where the kernel tells no waits', every50(9, () => [10, 0, 0])],
    ['it was seen once', [[400, 10, 10, 0]]],
    ['it was not seen', []],
    ['it was seen twice within a moment', [[399, 10, 10, 0], [400, 10, 10, 0]]],
  ])('the machine: %s', (_name, looks) => {
    expect(waitOf(looks).isMuch()).toBe(true);
  });

  it('counts CPU time from the first look', () => {
    expect(waitOf([[0, 500, 500, 0], [50, 540, 540, 0]]).cpuMs()).toBe(40);
    expect(new CoreWait().cpuMs()).toBe(0);
  });
});
