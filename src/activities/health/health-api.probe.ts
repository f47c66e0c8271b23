import { createOutboundHttp } from '../../platform/outbound/outbound-http.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import type { Env } from '../../platform/env.ts';
import type { HealthProbe, Readings } from './health-probe.ts';

/** What an instance has counted since it started. */
interface Counters {
  /** Seconds since the epoch; the counters begin anew when it changes. */
  readonly started_at: number;
  readonly requests: number;
  readonly errors: number;
  readonly event_loop_lag_ms: number;
  /** Milliseconds since the epoch. */
  readonly taken_at: number;
}

/** The state of an instance; null counters when `/metrics` could not be read. */
type Instance =
  { readonly isUp: false } | { readonly isUp: true; readonly latency_ms: number; readonly counters: Counters | null };

const requestTimeoutMs = 3_000;
/** The histograms of all routes make `/metrics` long. */
const maxMetricsBytes = 4 * 1024 * 1024;

/**
 * Reads `/health/ready` and `/metrics` of every API instance. Rates are measured since the previous read of this process,
 * so the first one gives none. The addresses are configured by the operator (`HEALTH_API_URLS`, else `PUBLIC_URL`) and may
 * be private, hence an outbound client of its own that permits these addresses only.
 */
export function createApiProbe(env: Pick<Env, 'HEALTH_API_URLS' | 'PUBLIC_URL'>): HealthProbe {
  const urls = env.HEALTH_API_URLS.length === 0 ? [env.PUBLIC_URL] : env.HEALTH_API_URLS;
  const outbound = createOutboundHttp({
    allow: urls.map((url) => new URL(url).host),
    maxResponseBytes: maxMetricsBytes,
  });
  const before = new Map<string, Counters>();

  return {
    metrics: [
      'api.up',
      'api.instances_down',
      'api.latency_ms',
      'api.requests_per_second',
      'api.error_ratio',
      'api.event_loop_lag_ms',
    ],
    async measure() {
      const instances = await Promise.all(urls.map((url) => readInstance(outbound, url)));
      const since = urls.map((url, index) => {
        const found = instances[index];
        const counters = found?.isUp === true ? found.counters : null;
        const earlier = before.get(url);
        if (counters !== null) before.set(url, counters);
        return counters === null || earlier?.started_at !== counters.started_at ? null : { counters, earlier };
      });
      return { ...stateOf(instances), ...ratesOf(since.filter((one) => one !== null)) };
    },
  };
}

function stateOf(instances: readonly Instance[]): Readings {
  const up = instances.filter((instance) => instance.isUp);
  const lags = up.flatMap(({ counters }) => (counters === null ? [] : [counters.event_loop_lag_ms]));
  return {
    'api.up': up.length === instances.length ? 1 : 0,
    'api.instances_down': instances.length - up.length,
    'api.latency_ms':
      up.length === 0 ? { unknown: 'No instance answers.' } : Math.max(...up.map(({ latency_ms }) => latency_ms)),
    'api.event_loop_lag_ms': lags.length === 0 ? { unknown: 'No instance shows its metrics.' } : Math.max(...lags),
  };
}

function ratesOf(since: readonly { readonly counters: Counters; readonly earlier: Counters }[]): Readings {
  if (since.length === 0) {
    const unknown = 'There is no earlier look to compare with.';
    return { 'api.requests_per_second': { unknown }, 'api.error_ratio': { unknown } };
  }
  const sum = (of: (one: (typeof since)[number]) => number) => since.reduce((total, one) => total + of(one), 0);
  const requests = sum(({ counters, earlier }) => counters.requests - earlier.requests);
  const errors = sum(({ counters, earlier }) => counters.errors - earlier.errors);
  return {
    'api.requests_per_second': sum(
      ({ counters, earlier }) =>
        (1000 * (counters.requests - earlier.requests)) / Math.max(1, counters.taken_at - earlier.taken_at),
    ),
    'api.error_ratio': requests === 0 ? 0 : errors / requests,
  };
}

async function readInstance(outbound: OutboundHttp, url: string): Promise<Instance> {
  const startedAt = performance.now();
  const ready = await get(outbound, url, '/health/ready');
  if (ready?.status !== 200) return { isUp: false };
  const latency_ms = performance.now() - startedAt;
  const metrics = await get(outbound, url, '/metrics');
  return { isUp: true, latency_ms, counters: metrics?.status === 200 ? countersOf(metrics.body) : null };
}

/** Null when there is no answer: that is a result here, not an error. */
async function get(outbound: OutboundHttp, url: string, path: string) {
  return outbound.send({ url: new URL(path, url).href, method: 'GET', timeoutMs: requestTimeoutMs }).catch(() => null);
}

/** Reads the needed counters from the text format of Prometheus: `name{label="value",…} number`. */
export function countersOf(text: string): Counters {
  let [requests, errors, started_at, lag] = [0, 0, 0, 0];
  for (const line of text.split('\n')) {
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (line.startsWith('castellan_http_requests_total{')) {
      requests += value;
      if (/[{,]status="5\d\d"/.test(line)) errors += value;
    } else if (/^process_start_time_seconds[ {]/.test(line)) started_at = value;
    else if (/^nodejs_eventloop_lag_p99_seconds[ {]/.test(line)) lag = value;
  }
  return { started_at, requests, errors, event_loop_lag_ms: lag * 1000, taken_at: Date.now() };
}
