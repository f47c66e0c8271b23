import type { PayloadCodec } from '@temporalio/common';
import type { SigningKeyring } from '../platform/security/access-token.ts';
import type { ExternalIssuers } from '../platform/security/external-issuer.ts';
import type { Metrics } from '../platform/observability/metrics.ts';
import type { Tracing } from '../platform/observability/tracing.ts';
import type { ActorCache } from '../services/identity/sign-in/actor-cache.ts';
import type { SignInDeps } from '../platform/process-deps.ts';
import type { ApprovalRequests } from '../services/approval/approval-request.service.ts';
import type { ConfigSnapshots } from '../services/config/config-snapshot-cache.ts';
import type { SchemaJudge } from '../services/config/config-json-schema.ts';
import type { FlagSnapshots } from '../services/flag/flag-snapshot-cache.ts';
import type { ServiceTokenCache } from '../services/identity/sign-in/service-token-cache.ts';
import type { DescribedRoute } from './http/route-description.ts';

/** The parts of one API process, made once at start and handed to every handler. */
export interface ApiDeps extends SignInDeps {
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  /** Seals what goes to Temporal; undefined unless `TEMPORAL_PAYLOAD_KEYS` is set. */
  readonly payloadCodec: PayloadCodec | undefined;
  readonly signingKeys: SigningKeyring;
  readonly externalIssuers: ExternalIssuers;
  readonly actors: ActorCache;
  readonly serviceTokens: ServiceTokenCache;
  readonly flagSnapshots: FlagSnapshots;
  readonly configSnapshots: ConfigSnapshots;
  readonly schemas: SchemaJudge;
  readonly approvals: ApprovalRequests;
  /** Every mounted route, for the manifest of gates and the OpenAPI document. */
  readonly routes: readonly DescribedRoute[];
}
