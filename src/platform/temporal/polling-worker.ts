import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { Logger } from '../observability/logger.ts';

/** What polling is made of. */
interface PollingParts {
  readonly log: Logger;
  /** Called with what is missing whenever that is something else than before. */
  readonly onWait: ((missing: string) => void) | undefined;
  /** Why polling cannot begin yet, in words; undefined when it can. */
  readonly problem: () => Promise<string | undefined>;
  /** Makes a worker that has not run yet. */
  readonly create: () => Promise<Worker>;
  /** Called each time that polling begins; works beside it until the signal ends it, and does not throw. */
  readonly beside: (signal: AbortSignal) => Promise<void>;
}

/** A worker that polls, or waits until it can. */
export interface Polling {
  isPolling(): boolean;
  /** Why it does not poll, in words; undefined while it does. */
  missing(): string | undefined;
  /** Resolves when it polls for the first time. */
  readonly begun: Promise<void>;
  /** Resolves after {@link stop}; rejects with an error of its own that no waiting mends, before it has polled. */
  readonly ended: Promise<void>;
  /** Takes no new tasks and lets running ones end. */
  stop(): Promise<void>;
}

/** Names of the errors by which the SDK reports that Temporal did not answer or refused; it keeps the classes to itself. */
const connectionErrors: readonly string[] = ['TransportError', 'UnexpectedError', 'ServiceError'];
/** Between two attempts, doubled from the one to the other: whoever makes the namespace waits for no restart of ours. */
const pauseMs = { first: 1_000, longest: 5_000 } as const;

/**
 * Keeps a worker polling: waits for what is missing before it begins, and begins again when the polling ends by itself. So
 * neither the order in which the parts of an installation start nor one failure of Temporal decides whether there is a worker.
 */
export function keepPolling({ log, onWait, problem, create, beside }: PollingParts): Polling {
  const stopping = new AbortController();
  const { signal } = stopping;
  const begun = Promise.withResolvers<void>();
  let worker: Worker | undefined;
  let hasBegun = false;
  let pause: number = pauseMs.first;
  let missing: string | undefined = 'not started yet';
  const isPolling = () => worker?.getState() === 'RUNNING';

  const wait = (reason: string, error?: unknown) => {
    if (reason !== missing || error !== undefined) log.warn({ reason, err: error }, 'the worker does not poll, it tries again');
    if (reason !== missing) onWait?.(reason);
    missing = reason;
  };

  /** Polls until it is stopped. @throws Error when the polling ends before that. */
  const poll = async () => {
    worker = await create();
    const running = worker.run();
    const over = new AbortController();
    let side: Promise<void> | undefined;
    if (signal.aborted) {
      worker.shutdown();
    } else {
      missing = undefined;
      hasBegun = true;
      pause = pauseMs.first;
      begun.resolve();
      side = beside(AbortSignal.any([signal, over.signal]));
    }
    try {
      await running;
    } finally {
      over.abort();
      await side;
    }
    if (!signal.aborted) throw new Error('The worker has stopped by itself.');
  };

  const keepOn = async () => {
    while (!signal.aborted) {
      try {
        const reason = await problem();
        if (reason === undefined) await poll();
        else wait(reason);
      } catch (error) {
        // Before the first poll, an error that is not Temporal's is one of the configuration or of the code.
        if (!hasBegun && !isOfTemporal(error)) throw error;
        wait('polling failed', error);
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(2 * pause, pauseMs.longest);
    }
  };
  const ended = keepOn();
  ended.catch(() => undefined); // whoever waits for the end gets it; nobody has to

  return {
    isPolling,
    missing: () => (isPolling() ? undefined : (missing ?? 'not polling')),
    begun: begun.promise,
    ended,
    stop: async () => {
      stopping.abort();
      if (worker !== undefined && isPolling()) worker.shutdown();
      await ended.catch(() => undefined);
    },
  };
}

function isOfTemporal(error: unknown): boolean {
  return isGrpcServiceError(error) || (error instanceof Error && connectionErrors.includes(error.name));
}
