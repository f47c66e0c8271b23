import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withClient } from '../src/dev/bootstrap-database.ts';
import { cacheFolderPath } from '../src/dev/data-folder.ts';
import { freePort } from '../src/dev/ports.ts';
import { runCommand } from '../src/dev/processes.ts';
import type { BenchProcess, BenchStack } from './stack.ts';

/** The release that is compared with; a different one is a different figure. */
const version = '8.2.0';
const installTimeoutMs = 10 * 60_000;
const adminToken = '*:*.bench-admin';
const clientToken = 'default:development.bench-client';

/** A running Unleash with flags, and how to call it. */
export interface Unleash extends BenchProcess {
  readonly adminToken: string;
  readonly clientToken: string;
}

/**
 * Starts unleash-server with flags that are on in `development`, or returns why it cannot. It is installed from npm into the
 * cache folder, runs as a process of its own beside the measured ones, and is no part of the product.
 *
 * @param flags names of the flags it gets
 */
export async function startUnleash(
  stack: BenchStack,
  flags: readonly string[],
): Promise<Unleash | { readonly skipped: string }> {
  const program = await install();
  if ('skipped' in program) return program;
  const port = await freePort();
  const started = await stack.start({
    name: 'unleash',
    command: process.execPath,
    args: [program.path],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      DATABASE_URL: await createDatabase(stack.adminUrl),
      DATABASE_SSL: 'false',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(port),
      INIT_ADMIN_API_TOKENS: adminToken,
      INIT_CLIENT_API_TOKENS: clientToken,
      CHECK_VERSION: 'false',
      SEND_TELEMETRY: 'false',
      LOG_LEVEL: 'error',
    },
    port,
    readyPath: '/health',
  });
  for (const flag of flags) await addFlag(started.url, flag);
  return { ...started, adminToken, clientToken };
}

/** The program in the cache folder, installed when it is missing. */
async function install(): Promise<{ readonly path: string } | { readonly skipped: string }> {
  const folder = join(cacheFolderPath(process.env), 'bench-unleash');
  const path = join(folder, 'node_modules', 'unleash-server', 'dist', 'server.js');
  const isThere = await access(path).then(() => true, () => false);
  if (isThere) return { path };
  await mkdir(folder, { recursive: true });
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder, `unleash-server@${version}`];
  const { ok, stderr } = await runCommand('npm', args, { timeoutMs: installTimeoutMs, cwd: folder });
  return ok ? { path } : { skipped: `npm install failed: ${stderr.trim().split('\n').at(-1) ?? ''}` };
}

/** A database of its own on the same PostgreSQL, so that both sides commit to the same disk. */
async function createDatabase(adminUrl: string): Promise<string> {
  await withClient(adminUrl, (admin) => admin.query('create database bench_unleash'));
  const url = new URL(adminUrl);
  url.pathname = '/bench_unleash';
  return url.href;
}

async function addFlag(url: string, name: string): Promise<void> {
  const project = `${url}/api/admin/projects/default/features`;
  await post(project, { name, type: 'release' });
  await post(`${project}/${name}/environments/development/strategies`, { name: 'default' });
  await post(`${project}/${name}/environments/development/on`, undefined);
}

async function post(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: adminToken, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`Unleash answers ${response.status} to ${url}: ${await response.text()}`);
}
