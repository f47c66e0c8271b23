import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';
import { poolOfMembers, poolOfReaders } from './helpers/assignment-pool-20261130.ts';

const managers = "('role-super-admin', 'role-provider-admin', 'role-regional-manager')";
const agents = "('role-senior-agent', 'role-junior-agent')";
const added = ['campaign:update', 'campaign:send', 'contact:update'];

/**
 * Agents see their own contacts and those of their pools, not all (U-9); who changes all campaigns and contacts gets the
 * permissions for it by their names, which campaign permissions and ownership give for single ones. Batches of who manages a
 * single campaign take nothing from others.
 */
export class Migration20261130164000_campaign_permissions extends Migration {
  override up(): void {
    const statements = overAllRows(['admin_roles', 'admin_role_history'], [
      `update admin_roles set permissions = permissions || '{${added.join(',')}}' where is_system_role and code in ${managers}`,
      `update admin_roles set permissions = array_remove(permissions, 'contact:read') where is_system_role and code in ${agents}`,
      `insert into admin_role_history (role_id, permissions, parent_role_id)
       select id, permissions, parent_role_id from admin_roles
       where is_system_role and (code in ${managers} or code in ${agents})`,
    ]);
    const batches = 'alter table assignment_batches add column takes_from_others boolean not null default true';
    for (const statement of [...statements, batches, poolOfMembers]) this.addSql(statement);
  }

  override down(): void {
    const statements = overAllRows(['admin_roles'], [
      `update admin_roles set permissions = permissions || '{contact:read}' where is_system_role and code in ${agents}`,
      ...added.map((permission) => `update admin_roles set permissions = array_remove(permissions, '${permission}') where is_system_role`),
    ]);
    const batches = 'alter table assignment_batches drop column takes_from_others';
    for (const statement of [poolOfReaders, batches, ...statements]) this.addSql(statement);
  }
}
