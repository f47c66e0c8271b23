/**
 * Records how a running API answers a caller without a token: every route of its own description, with the status that
 * is expected and the one that came (S0-66, X-22). Nothing is changed by it: what needs a sign-in must answer 401 before
 * anything else, and of the public routes only those without parameters are read.
 *
 * Usage: `npm run health:snapshot [-- URL [FOLDER]]`; exits with 1 when an answer is not the expected one.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The part of an OpenAPI operation that decides what to expect. */
interface Operation {
  readonly operationId?: string;
  /** Empty for public operations. */
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, unknown>>;
}

/** One route as it answered. */
export interface RouteHealth {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly expected: number;
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly duration_ms: number;
  readonly ok: boolean;
}

/** The answers of all routes in one run. */
export interface HealthSnapshot {
  readonly taken_at: string;
  readonly api: string;
  readonly ok: boolean;
  readonly failed: number;
  readonly routes: readonly RouteHealth[];
}

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
const timeoutMs = 5_000;
/** The API makes its description when it is first asked for, and a machine may be busy; it is no probe. */
const descriptionTimeoutMs = 30_000;
/** Operational endpoints, which the description leaves out. */
const operations = ['/health', '/health/ready', '/openapi.json', '/.well-known/jwks.json'];

/** @throws Error when the API does not describe itself. */
export async function collectHealthSnapshot(api: string): Promise<HealthSnapshot> {
  const response = await fetch(new URL('/openapi.json', api), { signal: AbortSignal.timeout(descriptionTimeoutMs) });
  if (!response.ok) throw new Error(`${api} does not describe itself: /openapi.json answers ${response.status}.`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, Operation>> };
  const routes: RouteHealth[] = [];
  for (const path of operations) routes.push(await probe(api, 'get', path, path, 200));
  for (const [path, item] of Object.entries(paths)) {
    for (const method of methods) {
      const operation = item[method];
      const expected = operation === undefined ? null : expectedStatus(operation, method, path);
      if (operation !== undefined && expected !== null) {
        routes.push(await probe(api, method, path, operation.operationId ?? path, expected));
      }
    }
  }
  const failed = routes.filter(({ ok }) => !ok).length;
  return { taken_at: new Date().toISOString(), api, ok: failed === 0, failed, routes };
}

function expectedStatus(operation: Operation, method: string, path: string): number | null {
  if (operation.security?.length !== 0) return 401;
  if (method !== 'get' || path.includes('{')) return null;
  const success = Object.keys(operation.responses).map(Number).find((status) => status < 400);
  return success === 200 ? success : null;
}

async function probe(api: string, method: string, path: string, operation: string, expected: number): Promise<RouteHealth> {
  const url = new URL(path.replaceAll(/\{\w+\}/g, '1'), api);
  const startedAt = performance.now();
  const status = await fetch(url, { method: method.toUpperCase(), redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.status;
    },
    () => null,
  );
  const duration_ms = Math.round(performance.now() - startedAt);
  return { operation, method, path, expected, status, duration_ms, ok: status === expected };
}

/** @returns the path of the file. */
export async function writeHealthSnapshot(snapshot: HealthSnapshot, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `health-snapshot-${snapshot.taken_at.replaceAll(/[:.]/g, '-')}.json`);
  await writeFile(file, `${JSON.stringify(snapshot, null, 2)}\n`);
  return file;
}

if (import.meta.main) {
  const api = process.argv[2] ?? 'http://127.0.0.1:3000';
  const folder = process.argv[3] ?? fileURLToPath(new URL('../../docs/monitoring', import.meta.url));
  try {
    const snapshot = await collectHealthSnapshot(api);
    const file = await writeHealthSnapshot(snapshot, resolve(folder));
    for (const { method, path, expected, status } of snapshot.routes.filter(({ ok }) => !ok)) {
      process.stdout.write(`${method.toUpperCase()} ${path}: ${status ?? 'no answer'} instead of ${expected}\n`);
    }
    process.stdout.write(`${snapshot.routes.length} routes, ${snapshot.failed} not as expected: ${file}\n`);
    if (!snapshot.ok) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
