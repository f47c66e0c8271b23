import { sql } from 'kysely';
import type { ModuleGrant, SoftwareModule } from '../../domain/identity/module-permission.ts';
import { notFound } from '../../platform/problem.ts';
import { versionMismatch } from '../../platform/row-version.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertNotSelf } from './effective-rights.service.ts';
import { isExpired, modulePermissionColumns as columns } from './module-permission.queries.ts';
import { assertUserExists } from './user.repository.ts';

/** What a person is to be allowed in a module, and until when. */
type ModulePermissionValues = Omit<ModuleGrant, 'agent_name'>;

const resource_type = 'user_agent_permission';

/**
 * Lets a person use a software module.
 *
 * @throws Problem `role.own-rights` for oneself, 404 for a person who is not there or was deleted; the database's unique
 *   violation (409) when there is a permission for the module already.
 */
export async function grantModulePermission(tx: Tx, userId: string, grant: ModuleGrant) {
  assertNotSelf(tx, userId);
  await assertUserExists(tx, userId);
  const granted = await tx.sql
    .insertInto('user_agent_permissions')
    .values({ ...grant, tenant_id: tx.actor.tenant_id, user_id: userId, granted_by: tx.actor.user_id })
    .returning(columns)
    .returning(isExpired)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'agent-permission.grant',
    action: 'permission_change',
    resource_type,
    resource_id: granted.id,
    new_values: { user_id: userId, ...grant },
  });
  return granted;
}

/**
 * Replaces what a person may do in a module.
 *
 * @throws Problem `role.own-rights` for oneself, 404, `resource.version-mismatch`.
 */
export async function replaceModulePermission(
  tx: Tx,
  userId: string,
  module: SoftwareModule,
  version: number,
  values: ModulePermissionValues,
) {
  assertNotSelf(tx, userId);
  const before = await tx.sql
    .selectFrom('user_agent_permissions')
    .where('user_id', '=', userId)
    .where('agent_name', '=', module)
    .select(columns)
    .forUpdate()
    .executeTakeFirst();
  if (before === undefined) throw notFound('agent permission');
  if (before.version !== version) throw versionMismatch(before.version);
  tx.audit({
    event: 'agent-permission.update',
    action: 'permission_change',
    resource_type,
    resource_id: before.id,
    old_values: before,
    new_values: { user_id: userId, ...values },
  });
  return tx.sql
    .updateTable('user_agent_permissions')
    .set({ ...values, granted_by: tx.actor.user_id, version: version + 1, updated_at: sql<string>`now()` })
    .where('id', '=', before.id)
    .returning(columns)
    .returning(isExpired)
    .executeTakeFirstOrThrow();
}

/**
 * Takes a module from a person.
 *
 * @throws Problem `role.own-rights` for oneself, 404.
 */
export async function revokeModulePermission(tx: Tx, userId: string, module: SoftwareModule): Promise<void> {
  assertNotSelf(tx, userId);
  const removed = await tx.sql
    .deleteFrom('user_agent_permissions')
    .where('user_id', '=', userId)
    .where('agent_name', '=', module)
    .returning(columns)
    .executeTakeFirst();
  if (removed === undefined) throw notFound('agent permission');
  tx.audit({
    event: 'agent-permission.revoke',
    action: 'permission_change',
    resource_type,
    resource_id: removed.id,
    old_values: removed,
  });
}
