import { Context } from '@temporalio/activity';

const heartbeatEveryMs = 1_000;

/** Runs work that waits for other systems, with a heartbeat every second until it is done. */
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
