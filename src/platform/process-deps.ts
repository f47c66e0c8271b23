import type { Database } from './database/database.ts';
import type { Env } from './env.ts';
import type { Logger } from './observability/logger.ts';
import type { Mailer } from './outbound/mailer.ts';
import type { OutboundHttp } from './outbound/outbound-http.ts';
import type { QueueProviders } from './outbound/queue-provider.ts';
import type { AccessTokens } from './security/access-token.ts';
import type { Keyring } from './security/keyring.ts';
import type { MfaTokens } from './security/mfa-token.ts';
import type { OidcClient } from './security/oidc-client.ts';
import type { PasswordHasher } from './security/password.ts';
import type { RateLimits } from './security/rate-limit.ts';
import type { TemporalClient } from './temporal/temporal-client.ts';

/** The parts that every process of ours has, API and worker alike; made once at start and handed to the services. */
export interface ProcessDeps {
  readonly env: Env;
  readonly log: Logger;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly outbound: OutboundHttp;
  readonly mailer: Mailer;
  readonly temporal: TemporalClient;
  readonly queues: QueueProviders;
  /** Milliseconds since the epoch; replaced in tests of time windows only at this edge. */
  readonly now: () => number;
}

/** What a process needs besides where people sign in. */
export interface SignInDeps extends ProcessDeps {
  readonly accessTokens: AccessTokens;
  readonly mfaTokens: MfaTokens;
  readonly oidc: OidcClient;
  readonly passwords: PasswordHasher;
  readonly rateLimits: RateLimits;
}
