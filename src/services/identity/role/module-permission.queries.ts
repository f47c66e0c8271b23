import { sql } from 'kysely';
import type { SoftwareModule } from '../../../domain/identity/module-permission.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read, readAll } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';

/** What is shown of a module permission, besides whether it has expired. */
export const modulePermissionColumns = [
  'id',
  'user_id',
  'agent_name',
  'can_create',
  'can_read',
  'can_update',
  'can_delete',
  'granted_by',
  'expires_at',
  'created_at',
  'updated_at',
  'version',
] as const;

/** Whether a permission has expired at the time of the statement. */
const isExpired = sql<boolean>`coalesce(expires_at <= now(), false)`.as('is_expired');

function modulePermissionsOf(userId: string) {
  return kysely
    .selectFrom('user_agent_permissions')
    .where('user_id', '=', userId)
    .select(modulePermissionColumns)
    .select(isExpired);
}

/**
 * A person's permissions in all modules, by module.
 *
 * @throws Problem `resource.not-found` for a person the tenant does not have.
 */
export async function modulePermissions(db: ReadSource, scope: ReadScope, userId: string) {
  const [known, permissions] = await readAll(db, scope, [
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    modulePermissionsOf(userId).orderBy('agent_name'),
  ] as const);
  if (known.length === 0) throw notFound('user');
  return permissions;
}

/**
 * A person's permission in one module.
 *
 * @throws Problem `resource.not-found`.
 */
export async function modulePermission(db: ReadSource, scope: ReadScope, userId: string, module: SoftwareModule) {
  const [permission] = await read(db, scope, modulePermissionsOf(userId).where('agent_name', '=', module));
  if (permission === undefined) throw notFound('module permission');
  return permission;
}

/** What the access rule needs to know of a person's module permissions; nothing for a caller who is no person. */
export function moduleGrants(db: ReadSource, scope: ReadScope, userId: string | null) {
  return read(
    db,
    scope,
    kysely
      .selectFrom('user_agent_permissions')
      .where('user_id', '=', userId)
      .select(['agent_name', 'can_create', 'can_read', 'can_update', 'can_delete', 'expires_at']),
  );
}
