import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolderPath } from '../src/dev/data-folder.ts';
import { freePort } from '../src/dev/ports.ts';
import { runCommand } from '../src/dev/processes.ts';
import { createSigningKeyring } from '../src/platform/security/access-token.ts';
import { parseKeyList } from '../src/platform/security/keyring.ts';
import { projectFile } from './stack.ts';
import type { BenchProcess, BenchStack } from './stack.ts';

const packages = [
  'fastapi==0.121.0', 'uvicorn[standard]==0.38.0', 'sqlalchemy[asyncio]==2.0.44', 'asyncpg==0.30.0', 'pyjwt[crypto]==2.15.1',
];
const installTimeoutMs = 5 * 60_000;

/** Starts the FastAPI arm, or returns why it cannot: it needs python3 with venv, and pip the first time. */
export async function startFastApi(stack: BenchStack): Promise<BenchProcess | { readonly skipped: string }> {
  const python = await virtualEnvironment();
  if ('skipped' in python) return python;
  const port = await freePort();
  const keys = createSigningKeyring(parseKeyList(stack.env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS')).jwks();
  return stack.start({
    name: 'fastapi',
    command: python.path,
    args: [
      '-m', 'uvicorn', 'fastapi_app:app', '--app-dir', projectFile('bench/arms'), '--host', '127.0.0.1',
      '--port', String(port), '--loop', 'uvloop', '--http', 'httptools', '--no-access-log',
    ],
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: stack.env.DATABASE_URL.replace(/^postgres(ql)?:/, 'postgresql+asyncpg:'),
      DATABASE_POOL_SIZE: String(stack.env.DATABASE_READ_POOL_SIZE),
      JWKS: JSON.stringify(keys),
      ISSUER: stack.env.PUBLIC_URL,
    },
    port,
    readyPath: '/ready',
  });
}

/** The virtual environment in the cache folder, made when it is missing. */
async function virtualEnvironment(): Promise<{ readonly path: string } | { readonly skipped: string }> {
  const folder = join(cacheFolderPath(process.env), 'bench-python');
  const path = join(folder, 'bin', 'python');
  const isThere = await access(path).then(() => true, () => false);
  if (!isThere) {
    const made = await runCommand('python3', ['-m', 'venv', folder], { timeoutMs: installTimeoutMs });
    if (!made.ok) return { skipped: `python3 -m venv failed: ${lastLine(made.stderr)}` };
  }
  const installed = await runCommand(
    path,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages],
    { timeoutMs: installTimeoutMs },
  );
  return installed.ok ? { path } : { skipped: `pip install failed: ${lastLine(installed.stderr)}` };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
