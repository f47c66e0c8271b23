import { randomBytes, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Actor } from '../../src/domain/shared/actor.ts';
import { entities } from '../../src/entities/index.ts';
import type { AuditEntry } from '../../src/platform/audit/audit-append.ts';
import { createCheckpointSigner } from '../../src/services/audit/signed-note.ts';
import type { CheckpointSigner } from '../../src/services/audit/signed-note.ts';
import { openDatabase } from '../../src/platform/database/database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { unitOfWork } from '../../src/platform/database/unit-of-work.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';

/** A database of its own with the platform's connections on it, for tests below the API. */
export interface AuditBench {
  readonly database: TestDatabase;
  readonly db: Database;
  readonly signer: CheckpointSigner;
  /** Writes entries into the chain of a tenant, `perTransaction` of them in one unit of work. */
  write(tenantId: string, count: number, perTransaction?: number): Promise<void>;
  /** Runs SQL as superuser. */
  admin<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Changes protected rows, as a superuser who disables the triggers. */
  tamper(text: string, values?: unknown[]): Promise<void>;
  close(): Promise<void>;
}

/** A person of the tenant. */
export function actorOf(tenantId: string, more: Partial<Actor> = {}): Actor {
  return {
    kind: 'user',
    user_id: randomUUID(),
    tenant_id: tenantId,
    session_id: randomUUID(),
    roles: ['role-super-admin'],
    permissions: ['flag:toggle', 'flag:read'],
    ip: '203.0.113.7',
    user_agent: 'Test/1.0',
    request_id: randomUUID(),
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    workflow_id: null,
    ...more,
  };
}

/** An entry as a feature writes it. */
export function entryOf(place: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    event: place % 3 === 0 ? 'flag.toggle' : 'user.update',
    action: 'update',
    resource_type: place % 3 === 0 ? 'feature_flag' : 'user',
    resource_id: `resource-${place % 5}`,
    old_values: { enabled: false, place },
    new_values: { enabled: true, place },
    ...more,
  };
}

export async function startAuditBench(): Promise<AuditBench> {
  const database = await createTestDatabase();
  const env = {
    DATABASE_URL: database.appUrl,
    DATABASE_POOL_SIZE: 5,
    DATABASE_READ_POOL_SIZE: 3,
    ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
  };
  const log = createLogger({ level: 'silent', name: 'test' });
  const db = await openDatabase({ env, entities, log, applicationName: 'test' });
  const superuser = new Client({ connectionString: database.adminUrl });
  await superuser.connect();
  return {
    database,
    db,
    signer: createCheckpointSigner([{ key_id: 'test', bytes: randomBytes(32) }]),
    write: async (tenantId, count, perTransaction = 25) => {
      const actor = actorOf(tenantId);
      for (let from = 0; from < count; from += perTransaction) {
        const places = Array.from({ length: Math.min(perTransaction, count - from) }, (_, place) => from + place);
        await unitOfWork(db, actor, async (tx) => places.forEach((place) => tx.audit(entryOf(place))));
      }
    },
    admin: async <Row extends object>(text: string, values: unknown[] = []) => (await superuser.query<Row>(text, values)).rows,
    tamper: async (text, values = []) => {
      await superuser.query('set session_replication_role = replica');
      await superuser.query(text, values);
      await superuser.query('set session_replication_role = origin');
    },
    close: async () => {
      await superuser.end();
      await db.close();
      await database.drop();
    },
  };
}

