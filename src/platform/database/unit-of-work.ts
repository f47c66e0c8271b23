import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { CompiledQuery, Kysely } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { auditStatement } from '../audit/audit-append.ts';
import type { AuditEntry } from '../audit/audit-append.ts';
import { personsOf } from '../audit/audit-private.ts';
import { RolledBackError } from './commit-outcome.ts';
import type { Database, Schema } from './database.ts';
import { invalidationStatement } from './invalidation.ts';
import type { InvalidationEvent } from './invalidation.ts';
import { deferredQuery } from './pipelined-dialect.ts';
import { writingScope } from './read.ts';
import type { OpenTransaction } from './read.ts';

/** What a unit of work may touch. `read(tx, …)` reads inside it. */
export interface Tx extends OpenTransaction {
  readonly actor: Actor;
  /** Entities of this transaction. What is changed here is written by {@link flush}, at the latest when the work ends. */
  readonly em: Pick<SqlEntityManager, 'create' | 'assign' | 'remove' | 'find' | 'findOne' | 'clear'>;
  /**
   * Writes the changed entities. Versions, times and ids of the database are known after it; typed SQL does not see a
   * change before it.
   */
  flush(): Promise<void>;
  /** Typed SQL inside this transaction. */
  readonly sql: Kysely<Schema>;
  /** Sends a statement whose result is not needed, without a round trip; if it fails, the work fails. */
  defer(query: { compile(): CompiledQuery }): void;
  /** Adds an audit entry; it is committed with the change or not at all. */
  audit(entry: AuditEntry): void;
  /**
   * Announces to the caches of all processes that something changed; takes effect at commit. Those of this process follow
   * before {@link unitOfWork} returns.
   */
  invalidate(event: InvalidationEvent): void;
  /**
   * Has a step run after the commit, before {@link unitOfWork} returns. It may be lost, so nothing may depend on it; that it
   * failed is only logged.
   */
  after(step: () => Promise<void>): void;
  /**
   * Changes another tenant in the same transaction, with its row-level security in force and entries in its own audit chain:
   * both tenants are changed, or none. For the platform's staff (S1-20); until it has returned, only the inner `Tx` may be used.
   *
   * @param actor who acts there.
   * @throws Error when this transaction is not one of the default tenant.
   */
  inTenant<Result>(actor: Actor, work: (tx: Tx) => Promise<Result>): Promise<Result>;
}

/** What a unit of work needs of the database. */
export type UnitOfWorkDatabase = Pick<Database, 'orm' | 'personKeys' | 'invalidation' | 'log'>;

/**
 * PostgreSQL's codes for what another attempt resolves: serialization failure, deadlock, and a prepared statement whose
 * table a migration has changed meanwhile.
 */
const retryableCodes = new Set(['40001', '40P01', '0A000']);
const maxAttempts = 3;
/** Delay before the retry, so that the other transaction of a deadlock finishes first and the two do not collide again. */
const retryPauseMs = 20;

/**
 * The one write path: a short transaction as the actor's tenant, with the audit rows as its last statement before
 * commit. Without an audit row there is no action. No network, hashing or sleeping inside.
 *
 * The work may run again after a deadlock or a connection that was lost before the commit, so it must not have effects
 * outside the transaction.
 *
 * @throws whatever the work throws; nothing is kept then.
 * @throws CommitUnknownError when the connection was lost during the commit and the outcome could not be found out.
 */
export async function unitOfWork<Result>(
  db: UnitOfWorkDatabase,
  actor: Actor,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(db, actor, work);
    } catch (error) {
      if (attempt === maxAttempts || !isRetryable(error)) throw error;
      await setTimeout(attempt * retryPauseMs);
    }
  }
}

async function runOnce<Result>(
  db: UnitOfWorkDatabase,
  actor: Actor,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  // No automatic flush: a `find` in the middle of the work must not write incomplete changes.
  const em = db.orm.em.fork({ flushMode: 'commit' });
  // The tenant of created entities (`entities/shared/tenant-columns.ts`).
  em.setFilterParams('tenant', { id: actor.tenant_id });
  // Not `transactional`, which forks again and copies the entities back into a manager that is not used.
  await em.begin();
  const events: InvalidationEvent[] = [];
  const steps: (() => Promise<void>)[] = [];
  const change = randomUUID();
  let result: Result;
  try {
    result = await runIn(em, db, { actor, events, steps, change }, work);
  } catch (error) {
    await em.rollback();
    throw error;
  }
  try {
    await em.commit();
  } catch (error) {
    // A commit that fails without an answer may have happened, or happen yet.
    db.invalidation.applyOwn(events, null);
    await em.rollback();
    throw error;
  }
  db.invalidation.applyOwn(events, change);
  for (const step of steps) {
    await step().catch((error: unknown) => {
      db.log.error({ err: error, request_id: actor.request_id }, 'a step after a commit failed');
    });
  }
  return result;
}

/** Whose transaction it is, what it announces, and what follows it. */
interface Frame {
  readonly actor: Actor;
  readonly events: InvalidationEvent[];
  readonly steps: (() => Promise<void>)[];
  /** The id of the transaction in its notifications. */
  readonly change: string;
}

/**
 * The work and what belongs to its transaction: the session settings before it; after it the entities that are not flushed
 * yet, then notifications and audit entries.
 */
async function runIn<Result>(
  em: SqlEntityManager,
  db: Pick<Database, 'personKeys'>,
  { actor, events, steps, change }: Frame,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  const entries: AuditEntry[] = [];
  const kysely = em.getKysely<Schema>();
  const sent: Promise<unknown>[] = [];
  const send = (query: CompiledQuery): void => {
    const one = kysely.executeQuery(deferredQuery(query));
    one.catch(() => undefined); // awaited below, unless the work itself fails before
    sent.push(one);
  };
  send(writingScope(actor));
  const tx: Tx = {
    actor,
    em,
    flush: () => em.flush(),
    readInside: async (queries) => {
      await em.flush();
      return Promise.all(queries.map(async (query) => (await kysely.executeQuery(query)).rows as object[]));
    },
    sql: kysely,
    defer: (query) => send(query.compile()),
    audit: (entry) => entries.push(entry),
    invalidate: (event) => events.push(event),
    after: (step) => steps.push(step),
    inTenant: async (other, workThere) => {
      if (actor.tenant_id !== defaultTenantId) throw new Error('Only a transaction of the default tenant changes another one.');
      await em.flush();
      const there = em.fork({ keepTransactionContext: true, flushMode: 'commit' });
      there.setFilterParams('tenant', { id: other.tenant_id });
      try {
        return await runIn(there, db, { actor: other, events, steps, change }, workThere);
      } finally {
        send(writingScope(actor));
      }
    },
  };
  const result = await work(tx);
  await em.flush();
  for (const event of events) send(invalidationStatement(event, change).compile(kysely));
  if (entries.length > 0) {
    const keys = await db.personKeys.forWriting(kysely, actor.tenant_id, personsOf(actor, entries));
    send(auditStatement(actor, entries, keys).compile(kysely));
  }
  await Promise.all(sent);
  return result;
}

function isRetryable(error: unknown): boolean {
  if (error instanceof RolledBackError) return true;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && retryableCodes.has(error.code);
}

/** A unit of work of one caller, as handlers get it. */
export type UnitOfWork = <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>;
