import type Router from '@koa/router';
import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { observePool } from '../../platform/observability/metrics.ts';
import { read } from '../../platform/database/read.ts';
import type { TemporalStatus } from '../../platform/temporal/temporal-status.ts';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { ApiDeps } from '../deps.ts';
import { mountAccountLinkPage } from './account-link-page.ts';
import { mountDocs } from './docs.ts';
import type { RequestState } from './request-context.ts';
import { openApiDocument } from './openapi.ts';

/**
 * `unready`: this process cannot answer. `degraded`: it answers reads and changes without a workflow, while what waits for a
 * workflow cannot go on.
 */
interface Readiness {
  readonly status: 'ready' | 'degraded' | 'unready';
  readonly checks: { readonly database: 'up' | 'down' } & Pick<TemporalStatus, 'temporal' | 'worker'>;
  /** What is missing, in words for operators. */
  readonly missing: readonly string[];
}

const probeTimeoutMs = 2_000;

/**
 * Endpoints for machines that run us, without an account: liveness, readiness, metrics, keys and documentation; and the
 * page of one-time links. They show no business data; `/metrics` is to be reachable from the inside only.
 */
export function mountOperations(router: Router<RequestState>, deps: ApiDeps): void {
  router.get('/health', (ctx) => {
    ctx.state.routePath = '/health';
    ctx.body = { status: 'healthy' };
  });
  router.get('/health/ready', async (ctx) => {
    ctx.state.routePath = '/health/ready';
    const readiness = await probe(deps);
    // Reads go on without Temporal and without a worker, and no restart of this process brings them back. So only a missing
    // database makes it unready.
    ctx.status = readiness.status === 'unready' ? 503 : 200;
    ctx.body = readiness;
  });
  router.get('/metrics', async (ctx) => {
    ctx.state.routePath = '/metrics';
    observePool(deps.metrics, 'read', deps.db.readPool);
    ctx.type = deps.metrics.registry.contentType;
    ctx.body = await deps.metrics.registry.metrics();
  });
  router.get('/.well-known/jwks.json', (ctx) => {
    ctx.state.routePath = '/.well-known/jwks.json';
    ctx.set('cache-control', 'public, max-age=300');
    ctx.body = deps.signingKeys.jwks();
  });
  // Made when the first reader asks: it is most of the time that a start would take, and few processes are ever asked.
  let document: string | undefined;
  router.get('/openapi.json', (ctx) => {
    ctx.state.routePath = '/openapi.json';
    ctx.type = 'application/json';
    ctx.body = document ??= JSON.stringify(openApiDocument(deps.routes, deps.env.PUBLIC_URL));
  });
  mountDocs(router);
  mountAccountLinkPage(router);
}

async function probe(deps: ApiDeps): Promise<Readiness> {
  const database = withTimeout(
    read(deps.db, { tenant_id: defaultTenantId, user_id: null }, kysely.selectNoFrom(sql<number>`1`.as('one'))).then(() => true),
  );
  const [databaseUp, { temporal, worker, missing }] = await Promise.all([database, deps.temporal.status()]);
  return {
    status: databaseUp ? (missing.length === 0 ? 'ready' : 'degraded') : 'unready',
    checks: { database: databaseUp ? 'up' : 'down', temporal, worker },
    missing: [...(databaseUp ? [] : ['database unreachable']), ...missing],
  };
}

async function withTimeout(work: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), probeTimeoutMs);
  });
  try {
    return await Promise.race([work.catch(() => false), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
