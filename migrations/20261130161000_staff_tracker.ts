import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';

/** Roles and what each is given; the super admin holds everything (ADR 25). */
const given: Readonly<Record<string, readonly string[]>> = {
  'role-super-admin': ['pipeline:manage'],
  'role-provider-admin': ['tracker:use', 'pipeline:manage'],
  'role-regional-manager': ['tracker:use', 'pipeline:manage'],
  'role-senior-agent': ['tracker:use'],
  'role-junior-agent': ['tracker:use'],
  'role-support-staff': ['tracker:use'],
};

/** Staff keep a tracker of their own (U-8); the pipelines that all share have a permission of their own. */
export class Migration20261130161000_staff_tracker extends Migration {
  override up(): void {
    const give = Object.entries(given).map(
      ([code, permissions]) =>
        `update admin_roles set permissions = permissions || '{${permissions.join(',')}}' where is_system_role and code = '${code}'`,
    );
    const remember = `insert into admin_role_history (role_id, permissions, parent_role_id)
       select id, permissions, parent_role_id from admin_roles
       where is_system_role and code in (${Object.keys(given).map((code) => `'${code}'`).join(', ')})`;
    for (const statement of overAllRows(['admin_roles', 'admin_role_history'], [...give, remember])) this.addSql(statement);
  }

  override down(): void {
    const statements = overAllRows(['admin_roles'], [
      "update admin_roles set permissions = array_remove(permissions, 'pipeline:manage') where is_system_role",
      "update admin_roles set permissions = array_remove(permissions, 'tracker:use') where is_system_role and code <> 'role-super-admin'",
    ]);
    for (const statement of statements) this.addSql(statement);
  }
}
