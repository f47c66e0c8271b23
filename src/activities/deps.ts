import type { Database } from '../platform/database/database.ts';
import type { Env } from '../platform/env.ts';
import type { Keyring } from '../platform/security/keyring.ts';
import type { Logger } from '../platform/observability/logger.ts';
import type { Mailer } from '../platform/outbound/mailer.ts';
import type { OutboundHttp } from '../platform/outbound/outbound-http.ts';
import type { QueueProviders } from '../services/queue/queue-provider.ts';
import type { TemporalClient } from '../platform/temporal/temporal-client.ts';

/** The parts of a worker process through which activities act; made once at start. */
export interface ActivityDeps {
  readonly env: Env;
  readonly log: Logger;
  readonly db: Database;
  readonly keyring: Keyring;
  readonly outbound: OutboundHttp;
  readonly mailer: Mailer;
  readonly temporal: TemporalClient;
  readonly queues: QueueProviders;
}
