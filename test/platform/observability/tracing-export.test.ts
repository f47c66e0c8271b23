import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { startTracing, traceRequest } from '../../../src/platform/observability/tracing.ts';

it('exports the spans of requests by OTLP over HTTP', async () => {
  const received: { path: string | undefined; body: string }[] = [];
  const collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      received.push({ path: request.url, body });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const tracing = startTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/`, TRACE_SAMPLE_RATIO: 1 }, 'traced');
  try {
    await traceRequest(tracing, {}, async () => undefined, () => ({ method: 'GET', route: '/users/me', status: 200 }));
    await tracing.sendPending();
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ path: '/v1/traces', body: expect.stringContaining('GET /users/me') });
  } finally {
    await tracing.processor.shutdown();
    collector.close();
  }
});
