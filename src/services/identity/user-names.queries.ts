import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';

/** The names of some people by their ids, also of deleted ones; ids that the tenant does not have are left out. */
export async function userNames(db: ReadSource, scope: ReadScope, userIds: Iterable<string>): Promise<Map<string, string>> {
  const ids = [...new Set(userIds)];
  if (ids.length === 0) return new Map();
  const users = await read(db, scope, kysely.selectFrom('users').where('id', 'in', ids).select(['id', 'full_name']));
  return new Map(users.map(({ id, full_name }) => [id, full_name]));
}

/** The name of one person, or the id where there is none. */
export async function userName(db: ReadSource, scope: ReadScope, userId: string): Promise<string> {
  return (await userNames(db, scope, [userId])).get(userId) ?? userId;
}
