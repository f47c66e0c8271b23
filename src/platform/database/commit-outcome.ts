import { setTimeout } from 'node:timers/promises';
import type { Pool } from 'pg';

/** How long PostgreSQL is asked what became of a transaction, and how often. */
const askForMs = 2_000;
const askEveryMs = 50;

/** It is not known whether a transaction was committed: the connection was lost while it was being decided. */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError';

  constructor(cause: unknown) {
    super('The connection was lost while a transaction was being committed.', { cause });
  }
}

/** A transaction was certainly rolled back, though its connection was lost while it was being committed. */
export class RolledBackError extends Error {
  override readonly name = 'RolledBackError';

  constructor(cause: unknown) {
    super('The connection was lost before a transaction was committed.', { cause });
  }
}

/** A code of PostgreSQL; those of sockets, such as `EPIPE`, have no digit. */
const sqlState = /^(?=.*\d)[0-9A-Z]{5}$/;
/** PostgreSQL's codes with which it ends connections (`admin_shutdown` and its like): what was under way may be done. */
const endedConnection = /^57P0[1-3]$/;

/**
 * Whether an error leaves open what became of the statements that were sent. Any other answer of PostgreSQL to them proves
 * that their transaction was rolled back.
 */
export function leavesOutcomeOpen(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return !sqlState.test(code) || endedConnection.test(code);
}

/**
 * What became of a transaction whose commit was not answered, asked on another connection.
 *
 * @param xid its id (`pg_current_xact_id()`); null where none was read before the commit was sent.
 * @returns `unknown` when PostgreSQL cannot be asked in time or does not know, as after a failover.
 */
export async function outcomeOf(pool: Pool, xid: string | null): Promise<'committed' | 'aborted' | 'unknown'> {
  if (xid === null) return 'unknown';
  const untilMs = performance.now() + askForMs;
  while (performance.now() < untilMs) {
    const status = await Promise.race([ask(pool, xid), setTimeout(untilMs - performance.now(), null)]).catch(() => null);
    if (status === 'committed' || status === 'aborted') return status;
    await setTimeout(askEveryMs);
  }
  return 'unknown';
}

async function ask(pool: Pool, xid: string): Promise<string | null> {
  const { rows } = await pool.query<{ status: string | null }>('select pg_xact_status($1::xid8) as status', [xid]);
  return rows[0]?.status ?? null;
}
