import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { entities } from '../entities/index.ts';
import { createAccessTokens, createSigningKeyring } from '../platform/security/access-token.ts';
import { openDatabase } from '../platform/database/database.ts';
import { loadEnv } from '../platform/env.ts';
import type { Env } from '../platform/env.ts';
import { createExternalIssuers } from '../platform/security/external-issuer.ts';
import { createKeyring, parseKeyList } from '../platform/security/keyring.ts';
import { createLogger } from '../platform/observability/logger.ts';
import type { Logger } from '../platform/observability/logger.ts';
import { createMailer } from '../platform/outbound/mailer.ts';
import { createMetrics } from '../platform/observability/metrics.ts';
import { createMfaTokens } from '../platform/security/mfa-token.ts';
import { createOidcClient } from '../platform/security/oidc-client.ts';
import { createOutboundHttp } from '../platform/outbound/outbound-http.ts';
import { createPasswordHasher } from '../platform/security/password.ts';
import { payloadCodecOf } from '../platform/temporal/payload-codec.ts';
import { createQueueProviders } from '../services/queue/queue-providers.ts';
import { createRateLimits } from '../platform/security/rate-limit.ts';
import { createTemporalClient } from '../platform/temporal/temporal-client.ts';
import { exitOnUncaughtError } from '../platform/uncaught-errors.ts';
import { startTracing } from '../platform/observability/tracing.ts';
import { tenantAttributeName } from '../workflows/queue/queue-pause.contract.ts';
import { createApp } from './app.ts';
import { createApprovalRequests } from '../services/approval/approval-request.service.ts';
import type { ApiDeps } from './deps.ts';
import { ActorCache } from '../services/identity/sign-in/actor-cache.ts';
import { ConfigSnapshots } from '../services/config/config-snapshot-cache.ts';
import { createSchemaJudge } from '../services/config/config-json-schema.ts';
import { FlagSnapshots } from '../services/flag/flag-snapshot-cache.ts';
import { ServiceTokenCache } from '../services/identity/sign-in/service-token-cache.ts';
import { routes } from './routes.ts';

/** A listening API. */
export interface RunningApi {
  readonly url: string;
  readonly deps: ApiDeps;
  /** Stops accepting, lets running requests end, then closes the connections. */
  close(): Promise<void>;
}

/** How many password checks may wait for a core before further sign-ins are refused with Retry-After. */
const passwordQueueLimit = 200;

/** Makes the parts of an API process. The caller closes what it got: database, Temporal, outbound. */
export async function createApiDeps(env: Env, log: Logger, now: () => number = Date.now): Promise<ApiDeps> {
  const metrics = createMetrics('api');
  const db = await openDatabase({ env, entities, log, applicationName: 'castellan-api' });
  const signingKeys = createSigningKeyring(parseKeyList(env.AUTH_SIGNING_KEYS, 'AUTH_SIGNING_KEYS'));
  const keyring = createKeyring(parseKeyList(env.ENCRYPTION_KEYS, 'ENCRYPTION_KEYS'));
  const codec = payloadCodecOf(env);
  const temporal = createTemporalClient(env, metrics, codec, {
    // What a worker has changed for a caller, the caller reads next.
    afterCall: () => db.invalidation.caughtUp(),
  });
  const base = {
    env,
    log,
    db,
    metrics,
    tracing: startTracing(env, 'castellan-api'),
    temporal,
    queues: createQueueProviders(env, temporal, tenantAttributeName),
    keyring,
    signingKeys,
    accessTokens: createAccessTokens({
      keyring: signingKeys,
      issuer: env.PUBLIC_URL,
      ttlSeconds: env.ACCESS_TOKEN_TTL_SECONDS,
      now,
    }),
    mfaTokens: createMfaTokens({ keyring: signingKeys, issuer: env.PUBLIC_URL, now }),
    externalIssuers: createExternalIssuers(env.TRUSTED_ISSUERS, { now }),
    oidc: createOidcClient(env.OIDC_PROVIDERS, { allowsHttp: env.NODE_ENV !== 'production', now }),
    passwords: createPasswordHasher({ concurrency: availableParallelism(), queueLimit: passwordQueueLimit }),
    rateLimits: createRateLimits({
      pool: db.readPool,
      generalPerMinute: env.RATE_LIMIT_PER_MINUTE,
      signInPerAccount: env.SIGN_IN_LIMIT_PER_ACCOUNT,
      signInPerAddress: env.SIGN_IN_LIMIT_PER_ADDRESS,
      onStoreError: (error) => log.error({ err: error }, 'a rate limit could not be counted'),
    }),
    outbound: createOutboundHttp({ allow: env.OUTBOUND_ALLOW }),
    mailer: createMailer({ env, db }),
    payloadCodec: codec,
    actors: new ActorCache(db, now),
    serviceTokens: new ServiceTokenCache(db, now),
    flagSnapshots: new FlagSnapshots(db, now),
    configSnapshots: new ConfigSnapshots(db, keyring, now),
    schemas: createSchemaJudge(log),
    routes,
    now,
  };
  return { ...base, approvals: createApprovalRequests(base) };
}

/** The server of the API, which does not listen yet. */
export function createApiServer(deps: ApiDeps): Server {
  const handle = createApp(deps).callback();
  const server = createServer((request, response) => void handle(request, response));
  // Longer than the minute after which load balancers close an idle connection, so that they never send into one that we close.
  server.keepAliveTimeout = 65_000;
  server.requestTimeout = 30_000;
  return server;
}

/** Starts an API process and waits until it listens. */
export async function startApi(env: Env, log: Logger = createLogger({ level: env.LOG_LEVEL, name: 'api' })): Promise<RunningApi> {
  const deps = await createApiDeps(env, log);
  const server = createApiServer(deps);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(env.PORT, env.HOST, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${env.HOST}:${port}`,
    deps,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = setTimeout(() => server.closeAllConnections(), env.SHUTDOWN_TIMEOUT_SECONDS * 1000);
      await closed;
      clearTimeout(force);
      deps.schemas.close();
      await Promise.allSettled([
        deps.temporal.close(),
        deps.queues.close(),
        deps.outbound.close(),
        deps.externalIssuers.close(),
        deps.oidc.close(),
      ]);
      await deps.tracing.sendPending();
      await deps.db.close();
    },
  };
}

async function main(): Promise<void> {
  const env = loadEnv();
  const log = createLogger({ level: env.LOG_LEVEL, name: 'api' });
  const api = await startApi(env, log);
  log.info({ url: api.url }, 'the API is listening');
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    void api.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  exitOnUncaughtError(log, () => api.close(), env.SHUTDOWN_TIMEOUT_SECONDS * 1_000);
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message}\n`);
    process.exit(1);
  });
}
