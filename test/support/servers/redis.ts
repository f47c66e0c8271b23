import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '../../../src/dev/ports.ts';
import { eventually } from '../eventually.ts';

/** A Redis server of one test file. */
interface TestRedis {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a Redis that keeps nothing on disk; null where `redis-server` is not installed. */
export async function startRedis(): Promise<TestRedis | null> {
  const executable = await findRedis();
  if (executable === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'castellan-redis-'));
  const port = await freePort();
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const server = spawn(executable, options, { stdio: 'ignore' });
  await eventually(() => answers(port), (isUp) => isUp);
  return {
    port,
    stop: async () => {
      if (server.exitCode === null && server.kill('SIGTERM')) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function findRedis(): Promise<string | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'redis-server');
    if (await access(path).then(() => true, () => false)) return path;
  }
  return null;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
