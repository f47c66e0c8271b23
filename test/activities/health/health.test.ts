import { generateKeyPairSync, sign } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { countersOf } from '../../../src/activities/health/health-api.probe.ts';
import { createCertificateProbe } from '../../../src/activities/health/health-certificate.probe.ts';
import { runProbe } from '../../../src/activities/health/health-probe.ts';
import type { HealthProbe } from '../../../src/activities/health/health-probe.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';

const log = createLogger({ level: 'silent', name: 'test' });
const day = 86_400_000;

/** DER (X.690): tag, length, content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

/** A self-signed certificate (RFC 5280) that expires at the given time. */
function certificateUntil(end: Date): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const algorithm = der(0x30, Buffer.from([0x06, 0x03, 0x2b, 0x65, 0x70]));
  const commonName = der(0x30, Buffer.from([0x06, 0x03, 0x55, 0x04, 0x03]), der(0x0c, Buffer.from('localhost')));
  const name = der(0x30, der(0x31, commonName));
  const utcTime = (moment: Date) => der(0x17, Buffer.from(`${moment.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
  const body = der(
    0x30,
    der(0xa0, Buffer.from([0x02, 0x01, 0x02])),
    Buffer.from([0x02, 0x01, 0x01]),
    algorithm,
    name,
    der(0x30, utcTime(new Date(end.getTime() - 400 * day)), utcTime(end)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = der(0x03, Buffer.from([0]), sign(null, body, privateKey));
  const pem = der(0x30, body, algorithm, signature).toString('base64').match(/.{1,64}/g) ?? [];
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${pem.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}

async function withTlsServer<Result>(end: Date, work: (url: string) => Promise<Result>): Promise<Result> {
  const server = createServer(certificateUntil(end), (socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`https://localhost:${(server.address() as AddressInfo).port}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('health probes', () => {
  it.each([12, -3])('measure a certificate that expires in %s days, trusted or not', async (days) => {
    const probe = (url: string) => createCertificateProbe({ PUBLIC_URL: url, HEALTH_API_URLS: [] }).measure();
    const found = await withTlsServer(new Date(Date.now() + days * day), probe);
    expect(found['certificates.days_left']).toBeCloseTo(days, 1);
  });

  it('report a certificate as unknown that cannot be read, and none without TLS', async () => {
    const unreachable = createCertificateProbe({ PUBLIC_URL: 'https://127.0.0.1:1', HEALTH_API_URLS: [] });
    expect(await runProbe(unreachable, log)).toEqual([
      { metric: 'certificates.days_left', value: null, reason: 'The probe failed (ECONNREFUSED).' },
    ]);
    expect(await createCertificateProbe({ PUBLIC_URL: 'http://127.0.0.1:1', HEALTH_API_URLS: [] }).measure()).toEqual({});
  });

  it('make only their own metrics unknown when they hang or fail, without revealing addresses', async () => {
    const hangs: HealthProbe = { metrics: ['api.up', 'api.latency_ms'], measure: () => new Promise(() => undefined) };
    expect(await runProbe(hangs, log, 20)).toEqual([
      { metric: 'api.up', value: null, reason: 'No answer within 20 ms.' },
      { metric: 'api.latency_ms', value: null, reason: 'No answer within 20 ms.' },
    ]);
    const fails: HealthProbe = {
      metrics: ['database.up'],
      measure: () => Promise.reject(new Error('postgres://castellan:hunter2@db')),
    };
    expect(await runProbe(fails, log)).toEqual([{ metric: 'database.up', value: null, reason: 'The probe failed.' }]);
  });

  it('read the counters of an instance from its metrics', () => {
    const text = [
      '# HELP castellan_http_requests_total HTTP requests by route and status',
      'castellan_http_requests_total{method="GET",route="/a",status="200",component="api"} 40',
      'castellan_http_requests_total{method="GET",route="/a",status="503",component="api"} 2',
      'castellan_http_requests_total{method="POST",route="/b/500",status="404",component="api"} 8',
      'castellan_http_request_duration_seconds_count{method="GET",route="/a",component="api"} 42',
      'process_start_time_seconds{component="api"} 1795000000',
      'nodejs_eventloop_lag_p99_seconds{component="api"} 0.0125',
      '',
    ].join('\n');
    const expected = { requests: 50, errors: 2, started_at: 1_795_000_000, event_loop_lag_ms: 12.5 };
    expect(countersOf(text)).toMatchObject(expected);
  });
});
