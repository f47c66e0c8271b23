import { Context } from '@temporalio/activity';

/** Runs the work of the present activity and sends a heartbeat every `everyMs` until it has ended. */
export async function withHeartbeat<Result>(everyMs: number, work: () => Promise<Result>): Promise<Result> {
  const { heartbeat } = Context.current();
  const beat = setInterval(heartbeat, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}
