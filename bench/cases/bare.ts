import { freePort } from '../../src/dev/ports.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { projectFile } from '../stack.ts';
import type { BenchProcess, BenchStack } from '../stack.ts';

/** Starts the server that runs the same transactions without the application. */
export async function startBareServer(stack: BenchStack): Promise<BenchProcess> {
  const port = await freePort();
  return stack.start({
    name: 'bare-server',
    command: process.execPath,
    args: [projectFile('bench/arms/bare-server.ts')],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATABASE_URL: stack.env.DATABASE_URL,
      DATABASE_POOL_SIZE: String(stack.env.DATABASE_POOL_SIZE),
      DATABASE_READ_POOL_SIZE: String(stack.env.DATABASE_READ_POOL_SIZE),
      BENCH_TENANT_ID: defaultTenantId,
    },
    port,
    readyPath: '/ready',
  });
}
