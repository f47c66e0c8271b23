import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** The metrics of one process, named after Prometheus' conventions. No label holds a tenant, a person or a raw path. */
export interface Metrics {
  readonly registry: Registry;
  readonly httpRequests: Counter<'method' | 'route' | 'status'>;
  readonly httpDuration: Histogram<'method' | 'route'>;
  readonly workflowStarts: Counter<'workflow'>;
  readonly workflowUpdates: Counter<'update' | 'outcome'>;
  readonly signIns: Counter<'outcome'>;
  readonly databaseConnections: Gauge<'pool' | 'state'>;
  /** How long newcomers take for their onboarding; the goal is five minutes (X-28, S1-43). */
  readonly onboardingDuration: Histogram;
}

/** Creates the registry with the default metrics of Node and our own. */
export function createMetrics(component: 'api' | 'worker'): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    httpRequests: new Counter({
      name: 'castellan_http_requests_total',
      help: 'HTTP requests by route and status',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    httpDuration: new Histogram({
      name: 'castellan_http_request_duration_seconds',
      help: 'Time from the first byte in to the last byte out',
      labelNames: ['method', 'route'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
      registers,
    }),
    workflowStarts: new Counter({
      name: 'castellan_workflow_starts_total',
      help: 'Workflows started by this process',
      labelNames: ['workflow'],
      registers,
    }),
    workflowUpdates: new Counter({
      name: 'castellan_workflow_updates_total',
      help: 'Workflow updates sent by this process',
      labelNames: ['update', 'outcome'],
      registers,
    }),
    signIns: new Counter({
      name: 'castellan_sign_ins_total',
      help: 'Sign-in attempts by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    databaseConnections: new Gauge({
      name: 'castellan_database_connections',
      help: 'Connections of the pools by state',
      labelNames: ['pool', 'state'],
      registers,
    }),
    onboardingDuration: new Histogram({
      name: 'castellan_onboarding_duration_seconds',
      help: 'Time from the first access to the completion of an onboarding link',
      buckets: [30, 60, 120, 180, 240, 300, 600, 1_800, 3_600, 14_400, 86_400, 604_800],
      registers,
    }),
  };
}

/** Records the state of a connection pool, for `/metrics`. */
export function observePool(
  metrics: Metrics,
  pool: string,
  counts: { readonly totalCount: number; readonly idleCount: number; readonly waitingCount: number },
): void {
  metrics.databaseConnections.set({ pool, state: 'open' }, counts.totalCount);
  metrics.databaseConnections.set({ pool, state: 'idle' }, counts.idleCount);
  metrics.databaseConnections.set({ pool, state: 'waiting' }, counts.waitingCount);
}
