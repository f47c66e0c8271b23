import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

const openStatement = sql<{ access: string }>`select set_config('app.assignment_access', 'manage', true) as access`;

/**
 * Opens the assignments of the whole tenant to the transaction (S3-38). Without it row-level security shows a session its
 * own rows only and lets it write none. Call it only where the permission has been checked, or from our own workflows.
 */
export async function openAssignments(tx: Tx): Promise<void> {
  await openStatement.execute(tx.sql);
}

/** {@link openAssignments} for the read path: the first query of a batch. */
export const openAssignmentsQuery = { compile: () => openStatement.compile(kysely) };

/** Wraps the work of a unit of work so that the assignments of the whole tenant are open to it. */
export function withAssignments<Result>(work: (tx: Tx) => Promise<Result>): (tx: Tx) => Promise<Result> {
  return async (tx) => {
    await openAssignments(tx);
    return work(tx);
  };
}

/** Reads with the assignments of the whole tenant visible; for callers whose permission has been checked (S3-38). */
export async function readAssignments<Row>(
  deps: ReadDeps,
  actor: Actor,
  statement: { compile(): CompiledQuery<Row> },
): Promise<Row[]> {
  const [, rows] = await readAll(deps.db, actor, [openAssignmentsQuery, statement] as const);
  return rows;
}
