import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The next answers of the server. */
export interface GuardAnswers {
  /** The number that a Prometheus query gives; null: no series. */
  value: number | null;
  samples: number;
  /** The body of the webhook's answer. */
  verdict: string;
}

/** A Prometheus server and a webhook with the answers that a test sets. */
export interface GuardServer {
  readonly url: string;
  /** `host:port`, for the list of addresses that may be reached although they are private. */
  readonly address: string;
  readonly answers: GuardAnswers;
  /** Bodies that the webhook was asked with. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Listens on a port of its own. */
export async function startGuardServer(): Promise<GuardServer> {
  const answers: GuardAnswers = { value: 0, samples: 100, verdict: 'good' };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://guards');
    const answer = (body: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    if (url.pathname === '/api/v1/query') {
      const number = url.searchParams.get('query') === 'samples' ? answers.samples : answers.value;
      const result = number === null ? [] : [{ metric: {}, value: [0, String(number)] }];
      return answer({ status: 'success', data: { resultType: 'vector', result } });
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push(body);
      answer({ verdict: answers.verdict });
    });
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    answers,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
