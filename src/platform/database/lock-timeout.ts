import { sql } from 'kysely';
import type { Tx } from './unit-of-work.ts';

/** Bounds the waits for locks of the running transaction from now on; 0 for no bound. */
export function lockTimeout(ms: number) {
  return sql`select set_config('lock_timeout', ${String(ms)}, true)`;
}

/** {@link lockTimeout} in a unit of work. */
export function setLockTimeout(tx: Pick<Tx, 'sql' | 'defer'>, ms: number): void {
  tx.defer({ compile: () => lockTimeout(ms).compile(tx.sql) });
}

/** True for the end of a bounded wait: PostgreSQL's `lock_not_available`. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03';
}
