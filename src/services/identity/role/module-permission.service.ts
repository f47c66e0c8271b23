import type { ModuleGrant, SoftwareModule } from '../../../domain/identity/module-permission.ts';
import { isInForce } from '../../../domain/identity/module-permission.ts';
import { ModulePermissionEntity } from '../../../entities/identity/role.entity.ts';
import { lockOne, toRow } from '../../../platform/database/entity-row.ts';
import { assertVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { assertNotSelf, assertNotStronger, lockRights } from './effective-rights.service.ts';
import { modulePermissionColumns as columns } from './module-permission.queries.ts';
import { assertUserExists } from '../user.repository.ts';

/** What a person is to be allowed in a module, and until when. */
type ModulePermissionValues = Omit<ModuleGrant, 'agent_name'>;

const resource_type = 'user_agent_permission';

/**
 * Lets a person use a software module.
 *
 * @throws Problem `role.own-rights` for oneself, `user.exceeds-own` for somebody stronger, 404 for a person who is not there or was
 *   deleted; the database's unique violation (409) when there is a permission for the module already.
 */
export async function grantModulePermission(tx: Tx, userId: string, grant: ModuleGrant) {
  await assertMayGrant(tx, userId);
  await assertUserExists(tx, userId);
  const permission = tx.em.create(ModulePermissionEntity, { ...grant, user_id: userId, granted_by: tx.actor.user_id });
  await tx.flush();
  const row = toRow(permission, columns);
  tx.audit({
    event: 'agent-permission.grant',
    action: 'permission_change',
    resource_type,
    resource_id: row.id,
    new_values: { user_id: userId, ...grant },
  });
  return withExpiry(row);
}

/**
 * Replaces what a person may do in a module.
 *
 * @throws Problem `role.own-rights` for oneself, `user.exceeds-own` for somebody stronger, 404, `resource.version-mismatch`.
 */
export async function replaceModulePermission(
  tx: Tx,
  userId: string,
  module: SoftwareModule,
  version: number,
  values: ModulePermissionValues,
) {
  await assertMayGrant(tx, userId);
  const permission = assertVersion(await lockModulePermission(tx, userId, module), version);
  const old_values = toRow(permission, columns);
  tx.em.assign(permission, { ...values, granted_by: tx.actor.user_id });
  await tx.flush();
  tx.audit({
    event: 'agent-permission.update',
    action: 'permission_change',
    resource_type,
    resource_id: old_values.id,
    old_values,
    new_values: { user_id: userId, ...values },
  });
  return withExpiry(toRow(permission, columns));
}

/** Nobody decides on the rights of their own, or of somebody who has more of them (S4-26). */
async function assertMayGrant(tx: Tx, userId: string): Promise<void> {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertNotStronger(tx, userId);
}

function withExpiry<Row extends Pick<ModuleGrant, 'expires_at'>>(row: Row) {
  return { ...row, is_expired: !isInForce(row, Date.now()) };
}

/**
 * Takes a module from a person.
 *
 * @throws Problem `role.own-rights` for oneself, `user.exceeds-own` for somebody stronger, 404.
 */
export async function revokeModulePermission(tx: Tx, userId: string, module: SoftwareModule): Promise<void> {
  await assertMayGrant(tx, userId);
  const permission = await lockModulePermission(tx, userId, module);
  const old_values = toRow(permission, columns);
  tx.em.remove(permission);
  tx.audit({
    event: 'agent-permission.revoke',
    action: 'permission_change',
    resource_type,
    resource_id: old_values.id,
    old_values,
  });
}

function lockModulePermission(tx: Tx, userId: string, module: SoftwareModule) {
  return lockOne(tx, ModulePermissionEntity, { user_id: userId, agent_name: module }, 'module permission');
}
