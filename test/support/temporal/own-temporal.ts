import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolderPath } from '../../../src/dev/data-folder.ts';
import { findTemporal } from '../../../src/dev/temporal-finder.ts';
import { startTemporalServer } from '../../../src/dev/temporal-server.ts';
import { freePort } from '../../../src/dev/ports.ts';

/** A Temporal server that one test file has for itself. */
export interface OwnTemporal {
  readonly address: string;
  /** Kills it outright, as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts a killed one again, at the same address and with what it had written; with another configuration if one is given. */
  restart(dynamicConfig?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a server beside the one that all test files share. Needed where the server is killed, and where workflows run to
 * their end whose ids are the same in every database, like `rollout/<tenant>/<environment>`: on the shared server another
 * file may hold that id.
 *
 * @param dynamicConfig further `key=value` of the server's configuration.
 */
export async function startOwnTemporal(dynamicConfig: readonly string[] = []): Promise<OwnTemporal> {
  const source = await findTemporal({
    env: { ...process.env, TEMPORAL_ADDRESS: undefined },
    cacheFolder: cacheFolderPath(process.env),
  });
  if (source.kind === 'server') throw new Error('expected a program');
  const folder = await mkdtemp(join(tmpdir(), 'castellan-temporal-'));
  const options = {
    executable: source.path,
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port: await freePort(),
    namespace: 'default',
  };
  let server = await startTemporalServer({ ...options, dynamicConfig });
  return {
    address: server.address,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.ended;
    },
    restart: async (changed = dynamicConfig) => {
      server = await startTemporalServer({ ...options, dynamicConfig: changed });
    },
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
