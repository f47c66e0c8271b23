import { join } from 'node:path';
import { cacheFolderPath } from '../../src/dev/data-folder.ts';
import { startupMessage } from '../../src/dev/startup-error.ts';
import { runStateVariable } from './run-state.ts';
import { startTestServers, type TestServers } from './test-servers.ts';

declare global {
  /** Handed from the global setup to the global teardown, which run in the same process. */
  var castellanTestServers: TestServers | undefined;
}

/**
 * Starts what all test files share. On Ctrl-C jest ends without its teardown, so the signals are caught here; and if
 * the process is killed outright, the guards of the servers stop them.
 */
export default async function globalSetup(): Promise<void> {
  for (const [signal, exitCode] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    process.once(signal, () => {
      void (globalThis.castellanTestServers?.stop() ?? Promise.resolve()).finally(() => process.exit(exitCode));
    });
  }
  // Programs that tests start share what Node has compiled: otherwise each takes two seconds of a core to load.
  process.env.NODE_COMPILE_CACHE ??= join(cacheFolderPath(process.env), 'node-compile-cache');
  try {
    globalThis.castellanTestServers = await startTestServers();
  } catch (error) {
    process.stderr.write(`\nThe test servers did not start: ${startupMessage(error)}\n`);
    throw error;
  }
  process.env[runStateVariable] = globalThis.castellanTestServers.stateFile;
}
