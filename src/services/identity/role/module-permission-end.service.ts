import { sql } from 'kysely';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { modulePermissionColumns } from './module-permission.queries.ts';
import type { ModulePermissionRow } from './module-permission.queries.ts';

/** The audit entry of a permission that has expired, which nobody has taken. */
export function auditExpiry(tx: Tx, { id, ...permission }: Omit<ModulePermissionRow, 'is_expired'>): void {
  const { user_id, agent_name, can_create, can_read, can_update, can_delete, granted_by, expires_at } = permission;
  tx.audit({
    event: 'agent-permission.expire',
    action: 'permission_change',
    resource_type: 'user_agent_permission',
    resource_id: id,
    old_values: { user_id, agent_name, can_create, can_read, can_update, can_delete, granted_by, expires_at },
  });
}

/**
 * Records in the audit log that a permission has expired. The row stays as it is, in its version too: access was judged by the end
 * all the time (S4-25).
 *
 * @param end RFC 3339; nothing is recorded when the permission has another one by now, or none.
 * @returns whether this call recorded it; a second one for the same end does not.
 */
export async function recordExpiry(tx: Tx, id: string, end: string): Promise<boolean> {
  const expired = await tx.sql
    .updateTable('user_agent_permissions')
    // A notice would come after the end, so none is due any more.
    .set({ recorded_end: end, noticed_end: end })
    .where('id', '=', id)
    .where('expires_at', '=', end)
    .where('expires_at', '<=', sql<string>`now()`)
    .where(sql<boolean>`recorded_end is distinct from expires_at`)
    .returning(modulePermissionColumns)
    .executeTakeFirst();
  if (expired !== undefined) auditExpiry(tx, expired);
  return expired !== undefined;
}

/**
 * Records that notice of an end was given.
 *
 * @param end as for {@link recordExpiry}
 * @returns whether this call recorded it.
 */
export async function recordNotice(tx: Tx, id: string, end: string): Promise<boolean> {
  const noticed = await tx.sql
    .updateTable('user_agent_permissions')
    .set({ noticed_end: end })
    .where('id', '=', id)
    .where('expires_at', '=', end)
    .where(sql<boolean>`noticed_end is distinct from expires_at`)
    .returning('id')
    .executeTakeFirst();
  return noticed !== undefined;
}
