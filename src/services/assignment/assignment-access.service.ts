import { sql } from 'kysely';
import { query } from '../../entities/kysely-schema.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

const statement = sql<{ access: string }>`select set_config('app.assignment_access', 'manage', true) as access`;

/**
 * Opens the assignments of the whole tenant to the transaction (S3-38). Without it a session sees its own rows only and
 * writes none; called where the permission has been checked, and by our own workflows.
 */
export async function openAssignments(tx: Tx): Promise<void> {
  await statement.execute(tx.sql);
}

/** {@link openAssignments} for the read path: the first query of a batch. */
export const openAssignmentsQuery = { compile: () => statement.compile(query) };
