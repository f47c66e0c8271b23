import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Env } from '../../platform/env.ts';
import type { HealthProbe } from './health-probe.ts';

const dayMs = 86_400_000;
const connectTimeoutMs = 5_000;

/**
 * Days until the first of the certificates expires that people and applications meet. Nothing where nobody speaks
 * TLS.
 */
export function createCertificateProbe(env: Pick<Env, 'HEALTH_API_URLS' | 'PUBLIC_URL'>): HealthProbe {
  const hosts = [env.PUBLIC_URL, ...env.HEALTH_API_URLS]
    .map((url) => new URL(url))
    .filter(({ protocol }) => protocol === 'https:');
  return {
    metrics: ['certificates.days_left'],
    async measure() {
      if (hosts.length === 0) return {};
      const ends = await Promise.all(hosts.map(certificateEnd));
      return { 'certificates.days_left': (Math.min(...ends) - Date.now()) / dayMs };
    },
  };
}

/** When the certificate of a server ends, in milliseconds since the epoch. */
export function certificateEnd({ hostname, port }: Pick<URL, 'hostname' | 'port'>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: port === '' ? 443 : Number(port),
      // RFC 6066 knows names only.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      // Nothing is sent or believed: an expired certificate is exactly what this looks for.
      rejectUnauthorized: false,
      timeout: connectTimeoutMs,
    });
    socket.once('secureConnect', () => {
      const end = Date.parse(socket.getPeerCertificate().valid_to);
      socket.destroy();
      resolve(end);
    });
    socket.once('timeout', () => socket.destroy(new Error('The TLS server does not answer.')));
    socket.once('error', reject);
  });
}
