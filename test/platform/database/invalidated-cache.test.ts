import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../../../src/platform/database/database.ts';
import { InvalidatedCache, keyedBy } from '../../../src/platform/database/invalidated-cache.ts';
import type { CacheRules } from '../../../src/platform/database/invalidated-cache.ts';
import type { InvalidationEvent } from '../../../src/platform/database/invalidation.ts';

interface Owned {
  readonly owner: string;
}

let nowMs: number;
let isCurrent: boolean | Promise<boolean>;
let announce: (event: InvalidationEvent) => void;
let loads: string[];

beforeEach(() => {
  nowMs = 1_000_000;
  isCurrent = true;
  loads = [];
});

function cacheWith(rules: Partial<CacheRules<Owned | null>> = {}): InvalidatedCache<Owned | null> {
  const listeners: ((event: InvalidationEvent) => void)[] = [];
  announce = (event) => listeners.forEach((listener) => listener(event));
  const invalidation = {
    isCurrent: () => isCurrent,
    subscribe: (listener: (event: InvalidationEvent) => void) => {
      listeners.push(listener);
      return () => undefined;
    },
  };
  return new InvalidatedCache({ invalidation } as unknown as Database, () => nowMs, {
    maxEntries: 3,
    maxAgeMs: 1_000,
    concernedBy: ({ kind, key }) => (kind === 'owner' ? (value) => value?.owner === key : null),
    ...rules,
  });
}

/** Loads a value that belongs to `owner`, and counts it. */
function loading(owner: string, endsAtMs?: number) {
  return async () => {
    loads.push(owner);
    return { value: { owner }, ...(endsAtMs === undefined ? {} : { endsAtMs }) };
  };
}

describe('a cache that follows changes of the database', () => {
  it('loads a value once, and callers that come together share the load', async () => {
    const cache = cacheWith();
    const [first, second] = await Promise.all([cache.get('a', loading('x')), cache.get('a', loading('x'))]);
    expect(second).toBe(first);
    await cache.get('a', loading('x'));
    expect(loads).toEqual(['x']);
  });

  it('loads anew when the value is too old or has ended itself', async () => {
    const cache = cacheWith();
    await cache.get('a', loading('x'));
    await cache.get('b', loading('y', nowMs + 10));
    nowMs += 10;
    await cache.get('a', loading('x'));
    await cache.get('b', loading('y'));
    expect(loads).toEqual(['x', 'y', 'y']);
    nowMs += 1_000;
    await cache.get('a', loading('x'));
    expect(loads).toEqual(['x', 'y', 'y', 'x']);
  });

  it('keeps neither a value that had ended when it was loaded nor a failure', async () => {
    const cache = cacheWith();
    const nothing = async () => ({ value: null, endsAtMs: 0 });
    await expect(cache.get('a', nothing)).resolves.toBeNull();
    await expect(cache.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    await expect(cache.get('a', loading('x'))).resolves.toEqual({ owner: 'x' });
  });

  it('forgets what an event concerns, and nothing else', async () => {
    const cache = cacheWith();
    for (const owner of ['x', 'y']) await cache.get(owner, loading(owner));
    announce({ kind: 'weather', key: 'x' });
    announce({ kind: 'owner', key: 'x' });
    for (const owner of ['x', 'y']) await cache.get(owner, loading(owner));
    expect(loads).toEqual(['x', 'y', 'x']);
    announce({ kind: '*', key: '*' });
    for (const owner of ['x', 'y']) await cache.get(owner, loading(owner));
    expect(loads).toEqual(['x', 'y', 'x', 'x', 'y']);
  });

  it('does not keep what was being loaded when the event came', async () => {
    const cache = cacheWith();
    const before = cache.get('a', loading('x'));
    announce({ kind: 'owner', key: 'x' });
    const after = cache.get('a', loading('x'));
    await Promise.all([before, after]);
    await cache.get('a', loading('x'));
    expect(loads).toEqual(['x', 'x']);
  });

  it('loads every time while events do not arrive', async () => {
    const cache = cacheWith();
    isCurrent = false;
    for (let call = 0; call < 2; call += 1) await cache.get('a', loading('x'));
    expect(loads).toEqual(['x', 'x']);
  });

  it('lets the least recently used value go when it is full', async () => {
    const cache = cacheWith();
    for (const owner of ['x', 'y', 'z', 'x', 'w']) await cache.get(owner, loading(owner));
    expect(loads).toEqual(['x', 'y', 'z', 'w']);
    await cache.get('x', loading('x'));
    await cache.get('y', loading('y'));
    expect(loads).toEqual(['x', 'y', 'z', 'w', 'y']);
  });

  it('can be keyed by what events name', async () => {
    const cache = cacheWith(keyedBy('flags'));
    for (const key of ['a', 'b']) await cache.get(key, loading(key));
    announce({ kind: 'flags', key: 'a' });
    announce({ kind: 'config', key: 'b' });
    for (const key of ['a', 'b']) await cache.get(key, loading(key));
    expect(loads).toEqual(['a', 'b', 'a']);
  });
});
