import { setTimeout } from 'node:timers/promises';
import type { Logger } from './observability/logger.ts';

/**
 * Has this process end after an error that nobody caught. What it was doing is unknown from then on, so it takes nothing new,
 * lets what runs come to its end, and exits with 1 for its supervisor to start another; it never goes on.
 *
 * @param drain takes nothing new and resolves when what ran has ended.
 * @param drainMs after which it exits all the same.
 */
export function exitOnUncaughtError(log: Logger, drain: () => Promise<void> | undefined, drainMs: number): void {
  let isEnding = false;
  // Rejections that nobody handles come here, too.
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error was not caught; this process ends');
    if (isEnding) return;
    isEnding = true;
    const drained = Promise.resolve(drain()).catch((failure: unknown) => log.error({ err: failure }, 'the process did not drain'));
    void Promise.race([drained, setTimeout(drainMs)]).then(() => process.exit(1));
  });
}
