import type Router from '@koa/router';
import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { observePool } from '../../platform/observability/metrics.ts';
import { read } from '../../platform/database/read.ts';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { ApiDeps } from '../deps.ts';
import { mountAccountLinkPage } from './account-link-page.ts';
import { mountDocs } from './docs.ts';
import type { RequestState } from './request-context.ts';
import { openApiDocument } from './openapi.ts';

type State = 'up' | 'down';

interface Readiness {
  readonly status: 'ready' | 'unready';
  readonly checks: { readonly database: State; readonly temporal: State };
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
    // Reads go on without Temporal, so only a missing database makes this process unready.
    ctx.status = readiness.status === 'ready' ? 200 : 503;
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
  const document = JSON.stringify(openApiDocument(deps.routes, deps.env.PUBLIC_URL));
  router.get('/openapi.json', (ctx) => {
    ctx.state.routePath = '/openapi.json';
    ctx.type = 'application/json';
    ctx.body = document;
  });
  mountDocs(router);
  mountAccountLinkPage(router);
}

async function probe(deps: ApiDeps): Promise<Readiness> {
  const database = withTimeout(
    read(deps.db, { tenant_id: defaultTenantId, user_id: null }, kysely.selectNoFrom(sql<number>`1`.as('one'))).then(() => true),
  );
  const [databaseUp, temporalUp] = await Promise.all([database, deps.temporal.isReachable()]);
  return {
    status: databaseUp ? 'ready' : 'unready',
    checks: { database: databaseUp ? 'up' : 'down', temporal: temporalUp ? 'up' : 'down' },
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
