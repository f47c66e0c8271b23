import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { rolesQuery } from './role.queries.ts';

/** Roles as approvers read them, `Name (code)`, in the order of the ids; an id where there is no such role. */
export async function roleTexts(db: ReadSource, scope: ReadScope, roleIds: readonly string[]): Promise<string[]> {
  if (roleIds.length === 0) return [];
  const rows = await read(db, scope, rolesQuery().where('r.id', 'in', [...roleIds]));
  const texts = new Map(rows.map(({ id, name, code }) => [id, `${name} (${code})`]));
  return roleIds.map((id) => texts.get(id) ?? id);
}
