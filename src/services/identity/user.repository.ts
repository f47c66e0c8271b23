import { notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** @throws Problem `resource.not-found` for a person who is not there or was deleted. */
export async function assertUserExists(tx: Tx, userId: string): Promise<void> {
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '<>', 'deleted')
    .select('id')
    .executeTakeFirst();
  if (user === undefined) throw notFound('user');
}
