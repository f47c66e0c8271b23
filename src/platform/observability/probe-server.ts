import { createServer } from 'node:http';
import type { Metrics } from './metrics.ts';

/** What a process without an API says of itself at `/health/ready`. */
export interface ProcessReadiness {
  /** `degraded`: it works, but not all that belongs to it is in place. */
  readonly status: 'ready' | 'degraded' | 'unready';
  readonly checks: Readonly<Record<string, 'up' | 'down'>>;
  /** What is missing, in words for operators. */
  readonly missing: readonly string[];
}

/**
 * Serves `/health`, `/health/ready` and `/metrics`, for container probes and Prometheus. Port 0 takes a free one.
 *
 * @returns a function that ends it.
 */
export async function listenForProbes(
  { host, port }: { host: string; port: number },
  metrics: Metrics,
  readiness: () => Promise<ProcessReadiness>,
): Promise<() => void> {
  const answer = async (path: string | undefined): Promise<[status: number, type: string, body: string]> => {
    const json = 'application/json';
    if (path === '/health') return [200, json, '{"status":"healthy"}'];
    if (path === '/metrics') return [200, metrics.registry.contentType, await metrics.registry.metrics()];
    if (path !== '/health/ready') return [404, json, '{}'];
    const body = await readiness();
    return [body.status === 'unready' ? 503 : 200, json, JSON.stringify(body)];
  };
  const server = createServer((request, response) => {
    answer(request.url).then(
      ([status, type, body]) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
