import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import type { Actor } from '../domain/actor.ts';
import { appendAudit } from './audit.ts';
import type { AuditEntry } from './audit.ts';
import type { Database, Schema } from './database.ts';
import { invalidationStatement } from './invalidation.ts';
import type { InvalidationEvent } from './invalidation.ts';

/** What a unit of work may touch. */
export interface Tx {
  readonly actor: Actor;
  /** The entity manager of this transaction. */
  readonly em: SqlEntityManager;
  /** Typed SQL inside this transaction. */
  readonly sql: Kysely<Schema>;
  /** Records what was done; written with the change or not at all. */
  audit(entry: AuditEntry): void;
  /** Announces to the caches of all processes that something changed; takes effect at commit. */
  invalidate(event: InvalidationEvent): void;
}

/** PostgreSQL's codes for conflicts that another attempt resolves: serialization failure and deadlock. */
const retryableCodes = new Set(['40001', '40P01']);
const maxAttempts = 3;

/**
 * The one write path: a short transaction as the actor's tenant, with the audit rows as its last statement before
 * commit. Without an audit row there is no action. No network, hashing or sleeping inside.
 *
 * The work may run again after a deadlock, so it must not have effects outside the transaction.
 *
 * @throws whatever the work throws; nothing is kept then.
 */
export async function unitOfWork<Result>(
  db: Pick<Database, 'orm'>,
  actor: Actor,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(db, actor, work);
    } catch (error) {
      if (attempt === maxAttempts || !isRetryable(error)) throw error;
    }
  }
}

async function runOnce<Result>(
  db: Pick<Database, 'orm'>,
  actor: Actor,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  const entries: AuditEntry[] = [];
  const events: InvalidationEvent[] = [];
  const session = { variables: { 'app.tenant_id': actor.tenant_id, 'app.user_id': actor.user_id ?? '' } };
  const fork = db.orm.em.fork({ session }) as SqlEntityManager;
  return fork.transactional(async (em) => {
    const tx: Tx = {
      actor,
      em,
      sql: em.getKysely<Schema>(),
      audit: (entry) => entries.push(entry),
      invalidate: (event) => events.push(event),
    };
    const result = await work(tx);
    await em.flush();
    for (const event of events) await invalidationStatement(event).execute(tx.sql);
    if (entries.length > 0) await appendAudit(em, actor, entries);
    return result;
  });
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && retryableCodes.has(error.code);
}
