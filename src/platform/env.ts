import { z } from 'zod';
import { uuid } from './value-schemas.ts';

/** A comma-separated list; an empty or missing value is the empty list. */
const commaList = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

const flag = z.enum(['true', 'false']).default('false').transform((text) => text === 'true');
const port = z.coerce.number().int().min(0).max(65_535);
const seconds = z.coerce.number().int().positive();

const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL');

/** `id:base64,id:base64` with 32-byte keys; the first one is the active key. */
const keyList = z.string().regex(/^([\w-]+:[A-Za-z0-9+/=]+)(,[\w-]+:[A-Za-z0-9+/=]+)*$/, 'must be id:base64[,id:base64…]');

/**
 * One issuer of bearer tokens besides ourselves, e.g. a Clerk instance, whose session tokens have no `aud` and name the
 * origin that they were issued to as `azp`. One of the two must say that a token is meant for us.
 */
const trustedIssuer = z
  .strictObject({
    issuer: z.url(),
    /** The `aud` that a token must have; without it a token that has one is meant for somebody else. */
    audience: z.string().min(1).optional(),
    jwks_uri: z.url(),
    algorithms: z.array(z.enum(['RS256', 'ES256', 'EdDSA', 'PS256'])).min(1).default(['RS256']),
    /** Accepted `azp` values; empty means the claim is not looked at. */
    authorized_parties: z.array(z.string().min(1)).default([]),
    tenant_id: uuid,
    /** Names of the claims; `sub`, `email`, `sid` and `roles` when left out. */
    claims: z
      .strictObject({
        subject: z.string().optional(),
        email: z.string().optional(),
        session: z.string().optional(),
        roles: z.string().optional(),
      })
      .optional(),
    /** Their role names → codes of ours. A role that is not named here gives nothing. */
    roles: z.record(z.string(), z.string()).optional(),
  })
  .refine(({ audience, authorized_parties: parties }) => audience !== undefined || parties.length > 0, {
    path: ['audience'],
    message: 'must be given, or authorized_parties',
  });

/** One OpenID provider people can sign in with through the browser. */
const oidcProvider = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  issuer: z.url(),
  client_id: z.string().min(1),
  client_secret: z.string().min(1).optional(),
  scope: z.string().default('openid email'),
  tenant_id: uuid,
});

function jsonList<T extends z.ZodType>(item: T) {
  return z
    .string()
    .default('[]')
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a JSON array' });
        return z.NEVER;
      }
    })
    .pipe(z.array(item));
}

const envSchema = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  /** Metrics and health of the worker process; 0 picks a free port. */
  WORKER_PORT: port.default(3001),
  /** Where people reach the API; links and token issuer are built from it, never from the Host header. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:3000'),
  DATABASE_URL: postgresUrl,
  /** Owner of the schema; needed by `npm run migrate` and key re-encryption only. */
  DATABASE_OWNER_URL: postgresUrl.optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),
  DATABASE_READ_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(4),
  TEMPORAL_ADDRESS: z.string().regex(/^[^:]+:\d+$/, 'must be host:port').default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_TASK_QUEUE: z.string().default('castellan'),
  TEMPORAL_WEB_URL: z.url().default('http://127.0.0.1:8233'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: flag,
  TEMPORAL_PAYLOAD_KEYS: keyList.optional(),
  /** Name of the worker deployment in Temporal; see docs/runbooks/deploy-workers.md. */
  TEMPORAL_DEPLOYMENT_NAME: z.string().regex(/^[\w-]{1,100}$/, 'must be letters, digits, _ and -').default('castellan'),
  /** Version of the workflow code of this worker; set, it turns worker versioning on. */
  TEMPORAL_WORKER_BUILD_ID: z.string().regex(/^[\w.+-]{1,100}$/, 'must be letters, digits, _ . + and -').optional(),
  TEMPORAL_MAX_CACHED_WORKFLOWS: z.coerce.number().int().min(0).optional(),
  /** Prebuilt by `npm run build`; without it the worker bundles at start (1–2 s). */
  WORKFLOW_BUNDLE: z.string().optional(),
  ENCRYPTION_KEYS: keyList,
  /** Ed25519 seeds of access-token signing, `kid:base64(32 bytes)`; the first one signs. */
  AUTH_SIGNING_KEYS: keyList,
  /** Ed25519 seed of audit checkpoints, `name:base64(32 bytes)`; the first one signs. */
  AUDIT_SIGNING_KEYS: keyList,
  AUDIT_CHECKPOINT_DIR: z.string().optional(),
  /** A witness outside: gets every newest checkpoint as a signed webhook (Standard Webhooks). */
  AUDIT_WITNESS_URL: z.url().optional(),
  AUDIT_WITNESS_SECRET: z.string().regex(/^whsec_[A-Za-z0-9+/=]+$/, 'must be whsec_<base64>').optional(),
  /** A witness outside: a folder that gets one object file a checkpoint. */
  AUDIT_WITNESS_DIR: z.string().optional(),
  ACCESS_TOKEN_TTL_SECONDS: seconds.max(3600).default(300),
  REFRESH_TOKEN_TTL_SECONDS: seconds.default(30 * 24 * 3600),
  TRUSTED_ISSUERS: jsonList(trustedIssuer),
  OIDC_PROVIDERS: jsonList(oidcProvider),
  CORS_ORIGINS: commaList,
  /** Number of trusted proxies in front; 0 takes the socket's address. */
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  BODY_LIMIT_KB: z.coerce.number().int().min(1).max(10_240).default(256),
  RATE_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).default(6_000),
  SIGN_IN_LIMIT_PER_ACCOUNT: z.coerce.number().int().min(1).default(10),
  SIGN_IN_LIMIT_PER_ADDRESS: z.coerce.number().int().min(1).default(100),
  /** Hosts or CIDR ranges that outbound HTTP may reach although they are private. */
  OUTBOUND_ALLOW: commaList,
  SMTP_URL: z.string().regex(/^smtps?:\/\//, 'must be an smtp:// URL').optional(),
  MAIL_FROM: z.string().default('castellan@localhost'),
  /** Where BullMQ keeps its jobs when that is another database than ours (schema `bullmq`); not used with REDIS_URL. */
  QUEUE_DATABASE_URL: postgresUrl.optional(),
  QUEUE_POOL_SIZE: z.coerce.number().int().min(1).max(50).default(3),
  /** BullMQ's Redis; without it BullMQ is looked for in PostgreSQL. */
  REDIS_URL: z.string().regex(/^rediss?:\/\//, 'must be a redis:// URL').optional(),
  /** Base addresses of the API's instances, which the health collector asks; PUBLIC_URL when empty. */
  HEALTH_API_URLS: commaList.pipe(z.array(z.url())),
  /** An external watcher that is pinged by every round of the alert evaluation and raises the alarm when pings stop. */
  WATCHDOG_URL: z.url().optional(),
  /** OpenTelemetry collector (OTLP over HTTP); spans are exported only when it is set. */
  /** Chat-completions endpoint that may phrase nudges; without it they keep the text of their rule. */
  TEXT_MODEL_URL: z.url().optional(),
  TEXT_MODEL_NAME: z.string().default('default'),
  TEXT_MODEL_KEY: z.string().optional(),
  TEXT_MODEL_TIMEOUT_MS: z.coerce.number().int().min(100).max(30_000).default(3_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  /** Share of the requests without a caller's trace whose spans are recorded. */
  TRACE_SAMPLE_RATIO: z.coerce.number().min(0).max(1).default(0),
  /** How long a caller waits for a command that a workflow carries out; after it nothing is carried out any more. */
  COMMAND_DEADLINE_MS: z.coerce.number().int().min(500).max(60_000).default(10_000),
  SHUTDOWN_TIMEOUT_SECONDS: seconds.max(300).default(20),
});

/** The validated environment. Read once at the start of a process and handed on; nothing else reads `process.env`. */
export type Env = z.infer<typeof envSchema>;
export type OidcProviderConfig = z.infer<typeof oidcProvider>;

/** Thrown by {@link loadEnv}; its message has one line for each bad variable and never a value. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
}

/**
 * Validates the environment and reports every bad variable at once.
 *
 * @throws EnvError when a variable is missing, malformed, or a development setting is used in production.
 */
export function loadEnv(source: NodeJS.ProcessEnv = process.env): Env {
  // An empty string in a compose file means "not set".
  const set = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const result = envSchema.safeParse(set);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new EnvError(`The environment is not usable:\n${lines.join('\n')}`);
  }
  if (result.data.NODE_ENV === 'production' && new URL(result.data.PUBLIC_URL).protocol !== 'https:') {
    throw new EnvError('The environment is not usable:\n  PUBLIC_URL: must be https in production');
  }
  const { AUDIT_WITNESS_URL, AUDIT_WITNESS_SECRET } = result.data;
  if ((AUDIT_WITNESS_URL === undefined) !== (AUDIT_WITNESS_SECRET === undefined)) {
    throw new EnvError('The environment is not usable:\n  AUDIT_WITNESS_SECRET: goes with AUDIT_WITNESS_URL');
  }
  return result.data;
}
