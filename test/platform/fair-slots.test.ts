import { describe, expect, it } from '@jest/globals';
import { FairSlots, SlotsFullError } from '../../src/platform/fair-slots.ts';

/** Work that ends when it is told to. */
function held(slots: FairSlots, key: string, name: string, begun: string[], signal?: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = slots.run(
    key,
    async () => {
      begun.push(name);
      await promise;
    },
    signal,
  );
  done.catch(() => undefined);
  return { done, end: resolve };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('T-21: fair slots', () => {
  it('let the tenant wait less that was served longest ago', async () => {
    const slots = new FairSlots({ slots: 1 });
    const begun: string[] = [];
    const works = [held(slots, 'a', 'a1', begun), held(slots, 'a', 'a2', begun), held(slots, 'a', 'a3', begun), held(slots, 'b', 'b1', begun)];
    expect(slots.isAwaited()).toBe(true);
    for (const one of [0, 3, 1, 2]) {
      works[one]?.end();
      await settled();
    }
    expect(begun).toEqual(['a1', 'b1', 'a2', 'a3']);
    await Promise.all(works.map(({ done }) => done));
    expect(slots.isAwaited()).toBe(false);
  });

  it('leave a slot to others, and tell nobody to hurry for work that could not run', async () => {
    const slots = new FairSlots({ slots: 2, perKey: 1 });
    const begun: string[] = [];
    const works = [held(slots, 'a', 'a1', begun), held(slots, 'a', 'a2', begun)];
    expect(slots.isAwaited()).toBe(false);
    works.push(held(slots, 'b', 'b1', begun), held(slots, 'c', 'c1', begun));
    await settled();
    expect(begun).toEqual(['a1', 'b1']);
    expect(slots.isAwaited()).toBe(true);
    works[1]?.end();
    works[0]?.end();
    await settled();
    expect(begun).toEqual(['a1', 'b1', 'c1']);
    works.forEach(({ end }) => end());
    await Promise.all(works.map(({ done }) => done));
  });

  it('refuse what is too much, in all and of one tenant, and forget who has given up', async () => {
    const slots = new FairSlots({ slots: 1, maxWaiting: 2, maxWaitingPerKey: 1 });
    const begun: string[] = [];
    const giveUp = new AbortController();
    const first = held(slots, 'a', 'a1', begun);
    const second = held(slots, 'a', 'a2', begun, giveUp.signal);
    await expect(slots.run('a', async () => undefined)).rejects.toBeInstanceOf(SlotsFullError);
    const third = held(slots, 'b', 'b1', begun);
    await expect(slots.run('c', async () => undefined)).rejects.toBeInstanceOf(SlotsFullError);
    const reason = new Error('cancelled');
    giveUp.abort(reason);
    await expect(second.done).rejects.toBe(reason);
    first.end();
    await settled();
    expect(begun).toEqual(['a1', 'b1']);
    third.end();
    await third.done;
    await slots.run('a', async () => begun.push('a3'));
  });
});
