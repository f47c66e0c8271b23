import { Context } from '@temporalio/activity';

const heartbeatEveryMs = 1_000;

/** Runs work that waits for others, and tells Temporal all the while that this worker is alive. */
export async function withHeartbeat<Result>(work: () => Promise<Result>): Promise<Result> {
  const context = Context.current();
  context.heartbeat();
  const timer = setInterval(() => context.heartbeat(), heartbeatEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
