import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Env } from '../../platform/env.ts';
import type { HealthProbe } from './health-probe.ts';

const dayMs = 86_400_000;
const connectTimeoutMs = 5_000;

/**
 * Days until the first TLS certificate of the public and the API addresses expires. Nothing when none of them uses TLS.
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

/** When the certificate of a server expires, in milliseconds since the epoch. */
function certificateEnd({ hostname, port }: Pick<URL, 'hostname' | 'port'>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: port === '' ? 443 : Number(port),
      // RFC 6066 permits host names only.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      // Nothing is sent or trusted, and an expired certificate must be readable.
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
