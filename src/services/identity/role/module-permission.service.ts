import { isInForce, isTooNearForNotice } from '../../../domain/identity/module-permission.ts';
import type { ModuleGrant, SoftwareModule } from '../../../domain/identity/module-permission.ts';
import { ModulePermissionEntity } from '../../../entities/identity/role.entity.ts';
import { lockOne, toRow } from '../../../platform/database/entity-row.ts';
import { assertVersion } from '../../../platform/row-version.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { assertUserExists } from '../user.repository.ts';
import { assertNotSelf, assertNotStronger, lockRights } from './effective-rights.service.ts';
import { assertEndsAhead, assertExtends, assertWithinOwnModule } from './module-grant-limits.service.ts';
import { modulePermissionColumns as columns } from './module-permission.queries.ts';
import { auditExpiry } from './module-permission-end.service.ts';

/** What a person is to be allowed in a module, and until when. */
type ModulePermissionValues = Omit<ModuleGrant, 'agent_name'>;

type ModulePermission = Awaited<ReturnType<typeof lockModulePermission>>;

const resource_type = 'user_agent_permission';

/**
 * Lets a person use a software module.
 *
 * @param now milliseconds since the epoch, as in all of these
 * @throws Problem `role.own-rights` for oneself, `user.exceeds-own` for somebody stronger, `role.grant-exceeds-own` for what the actor
 *   lacks, 404 for a person who is not there or was deleted, 422 for an end in the past; the database's unique violation (409)
 *   when there is a permission for the module already.
 */
export async function grantModulePermission(tx: Tx, userId: string, grant: ModuleGrant, now: number) {
  assertEndsAhead(grant.expires_at, now);
  await assertMayDecide(tx, userId);
  await assertUserExists(tx, userId);
  await assertWithinOwnModule(tx, grant, now);
  const permission = tx.em.create(ModulePermissionEntity, {
    ...grant,
    user_id: userId,
    granted_by: tx.actor.user_id,
    noticed_end: isTooNearForNotice(grant.expires_at, now) ? grant.expires_at : null,
  });
  await tx.flush();
  const row = toRow(permission, columns);
  tx.audit({
    event: 'agent-permission.grant',
    action: 'permission_change',
    resource_type,
    resource_id: row.id,
    new_values: { user_id: userId, ...grant },
  });
  return withExpiry(row, now);
}

/**
 * Replaces what a person may do in a module. Whoever does answers for all of it from then on, so all of it is what they may grant;
 * what is the same as before changes nothing, also when its end has passed.
 *
 * @throws Problem as {@link grantModulePermission}, and `resource.version-mismatch`.
 */
export async function replaceModulePermission(
  tx: Tx,
  userId: string,
  module: SoftwareModule,
  version: number,
  values: ModulePermissionValues,
  now: number,
) {
  await assertMayDecide(tx, userId);
  const permission = assertVersion(await lockModulePermission(tx, userId, module), version);
  const old_values = toRow(permission, columns);
  if (Object.entries(values).some(([name, value]) => old_values[name as keyof ModulePermissionValues] !== value)) {
    assertEndsAhead(values.expires_at, now);
    await assertWithinOwnModule(tx, { agent_name: module, ...values }, now);
    assign(tx, permission, values, now);
  }
  await tx.flush();
  tx.audit({
    event: 'agent-permission.update',
    action: 'permission_change',
    resource_type,
    resource_id: old_values.id,
    old_values,
    new_values: { user_id: userId, ...values },
  });
  return withExpiry(toRow(permission, columns), now);
}

/**
 * Moves the end of a permission later, or takes it away; one that has expired is in force again.
 *
 * @throws Problem as {@link replaceModulePermission}; 422 for an end that is not later than the present one.
 */
export async function extendModulePermission(
  tx: Tx,
  userId: string,
  module: SoftwareModule,
  version: number,
  expires_at: string | null,
  now: number,
) {
  await assertMayDecide(tx, userId);
  const permission = assertVersion(await lockModulePermission(tx, userId, module), version);
  const old_values = toRow(permission, columns);
  assertExtends(expires_at, old_values.expires_at, now);
  await assertWithinOwnModule(tx, { ...old_values, expires_at }, now);
  assign(tx, permission, { expires_at }, now);
  await tx.flush();
  tx.audit({
    event: 'agent-permission.extend',
    action: 'permission_change',
    resource_type,
    resource_id: old_values.id,
    old_values,
    new_values: { user_id: userId, expires_at },
  });
  return withExpiry(toRow(permission, columns), now);
}

/**
 * Takes a module from a person.
 *
 * @throws Problem `role.own-rights` for oneself, `user.exceeds-own` for somebody stronger, 404.
 */
export async function revokeModulePermission(tx: Tx, userId: string, module: SoftwareModule, now: number): Promise<void> {
  await assertMayDecide(tx, userId);
  const permission = await lockModulePermission(tx, userId, module);
  const old_values = toRow(permission, columns);
  recordPassedEnd(tx, permission, now);
  tx.em.remove(permission);
  tx.audit({
    event: 'agent-permission.revoke',
    action: 'permission_change',
    resource_type,
    resource_id: old_values.id,
    old_values,
  });
}

/** Nobody decides on the rights of their own, or of somebody who has more of them (S4-26). */
async function assertMayDecide(tx: Tx, userId: string): Promise<void> {
  assertNotSelf(tx, userId);
  await lockRights(tx);
  await assertNotStronger(tx, userId);
}

/** Changes a permission in the name of the actor. Another end is told and recorded anew. */
function assign(tx: Tx, permission: ModulePermission, values: Partial<ModulePermissionValues>, now: number): void {
  const { expires_at = permission.expires_at ?? null } = values;
  if (expires_at !== permission.expires_at) {
    recordPassedEnd(tx, permission, now);
    if (isTooNearForNotice(expires_at, now)) tx.em.assign(permission, { noticed_end: expires_at });
  }
  tx.em.assign(permission, { ...values, granted_by: tx.actor.user_id });
}

/** What comes before the sweep would leave no trace of an end that has passed: it goes into the audit log first. */
function recordPassedEnd(tx: Tx, permission: ModulePermission, now: number): void {
  const row = toRow(permission, [...columns, 'recorded_end']);
  if (!isInForce(row, now) && row.recorded_end !== row.expires_at) auditExpiry(tx, row);
}

function withExpiry<Row extends Pick<ModuleGrant, 'expires_at'>>(row: Row, now: number) {
  return { ...row, is_expired: !isInForce(row, now) };
}

function lockModulePermission(tx: Tx, userId: string, module: SoftwareModule) {
  return lockOne(tx, ModulePermissionEntity, { user_id: userId, agent_name: module }, 'module permission');
}
