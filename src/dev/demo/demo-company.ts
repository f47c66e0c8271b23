import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';

/** Where the demonstration's company answers; `npm start` lets guards and integrations reach it. */
export const demoCompanyPort = Number(process.env.CASTELLAN_DEMO_PORT ?? 3_999);

/** A company's own service: it judges rollouts, and issues, accepts and refuses API keys. */
export interface DemoCompany {
  readonly url: string;
  /** A first key, issued by hand. */
  readonly key: { readonly key_id: string; readonly secret: string };
  /** What its judge says of rollouts. */
  verdict: 'good' | 'bad';
  close(): Promise<void>;
}

/** Starts it in this process. */
export async function startDemoCompany(): Promise<DemoCompany> {
  const idBySecret = new Map<string, string>();
  const secretByRequest = new Map<string, string>();
  const issue = (request: string): { id: string; key: string } => {
    const secret = secretByRequest.get(request) ?? `demo_${randomBytes(18).toString('hex')}`;
    secretByRequest.set(request, secret);
    const id = idBySecret.get(secret) ?? `key_${randomBytes(4).toString('hex')}`;
    idBySecret.set(secret, id);
    return { id, key: secret };
  };
  const first = issue('by hand');
  const company = {
    url: `http://127.0.0.1:${demoCompanyPort}`,
    key: { key_id: first.id, secret: first.key },
    verdict: 'good' as 'good' | 'bad',
  };

  const answer = (request: IncomingMessage): [number, unknown] => {
    const path = request.url ?? '';
    if (path === '/verdict') return [200, { verdict: company.verdict }];
    if (!idBySecret.has(String(request.headers['x-api-key']))) return [401, { error: 'unauthorized' }];
    if (path === '/me') return [200, { ok: true }];
    if (request.method === 'POST' && path === '/keys') return [201, issue(String(request.headers['idempotency-key']))];
    if (request.method !== 'DELETE') return [404, { error: 'not found' }];
    for (const [secret, id] of idBySecret) if (path === `/keys/${id}`) idBySecret.delete(secret);
    return [204, null];
  };
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const [status, body] = answer(request);
      response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? undefined : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(demoCompanyPort, '127.0.0.1', resolve);
  });
  return Object.assign(company, {
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
