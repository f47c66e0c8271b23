import type { PayloadCodec } from '@temporalio/common';
import type { Actor } from '../domain/shared/actor.ts';
import type { EnvironmentName } from '../domain/shared/environment.ts';
import type { AccessTokens, SigningKeyring } from '../platform/security/access-token.ts';
import type { Database } from '../platform/database/database.ts';
import type { Env } from '../platform/env.ts';
import type { ExternalIssuers } from '../platform/security/external-issuer.ts';
import type { Keyring } from '../platform/security/keyring.ts';
import type { Logger } from '../platform/observability/logger.ts';
import type { Mailer } from '../platform/outbound/mailer.ts';
import type { Metrics } from '../platform/observability/metrics.ts';
import type { MfaTokens } from '../platform/security/mfa-token.ts';
import type { OidcClient } from '../platform/security/oidc-client.ts';
import type { OutboundHttp } from '../platform/outbound/outbound-http.ts';
import type { PasswordHasher } from '../platform/security/password.ts';
import type { QueueProviders } from '../services/queue/queue-provider.ts';
import type { RateLimits } from '../platform/security/rate-limit.ts';
import type { TemporalClient } from '../platform/temporal/temporal-client.ts';
import type { Tracing } from '../platform/observability/tracing.ts';
import type { ActorCache } from './http/actor-cache.ts';
import type { ConfigSnapshots } from '../services/config/config-snapshot-cache.ts';
import type { FlagSnapshots } from '../services/flag/flag-snapshot-cache.ts';
import type { ServiceTokenCache } from '../services/identity/service-token.service.ts';
import type { GateLevel, MfaProof, Route } from './http/route.ts';

/** Answers for policy-driven gates; implemented by the approval feature. */
export interface ApprovalDesk {
  /** The gate in force, with a safe default where no policy is written. */
  resolveGate(actor: Actor, action: string, environment: EnvironmentName | null): Promise<GateLevel>;
  /** Opens an approval for the action and returns the view that the 202 answer shows. */
  open(request: {
    readonly actor: Actor;
    readonly action: string;
    readonly environment: EnvironmentName | null;
    readonly payload: unknown;
    readonly mfa: MfaProof;
  }): Promise<unknown>;
}

/** The parts of one API process, made once at start and handed to every handler. */
export interface ApiDeps {
  readonly env: Env;
  readonly log: Logger;
  readonly db: Database;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly temporal: TemporalClient;
  /** Seals what goes to Temporal; undefined unless `TEMPORAL_PAYLOAD_KEYS` is set. */
  readonly payloadCodec: PayloadCodec | undefined;
  readonly keyring: Keyring;
  readonly signingKeys: SigningKeyring;
  readonly accessTokens: AccessTokens;
  readonly mfaTokens: MfaTokens;
  readonly externalIssuers: ExternalIssuers;
  readonly oidc: OidcClient;
  readonly passwords: PasswordHasher;
  readonly rateLimits: RateLimits;
  readonly outbound: OutboundHttp;
  readonly mailer: Mailer;
  readonly queues: QueueProviders;
  readonly actors: ActorCache;
  readonly serviceTokens: ServiceTokenCache;
  readonly flagSnapshots: FlagSnapshots;
  readonly configSnapshots: ConfigSnapshots;
  readonly approvals: ApprovalDesk;
  /** Every mounted route, for the manifest of gates and the OpenAPI document. */
  readonly routes: readonly Route[];
  /** Milliseconds since the epoch; replaced in tests of time windows only at this edge. */
  readonly now: () => number;
}
