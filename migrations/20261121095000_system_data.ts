import { Migration } from '@mikro-orm/migrations';

/** Permissions as they were when this migration was written; a frozen copy of `domain/system-roles.ts`. */
import { systemRolesAtStart } from './helpers/system-roles-20261121.ts';

/** The default tenant (S1-20) and the seven system roles with their matrix (S1-22, S1-66). */
export class Migration20261121095000_system_data extends Migration {
  override up(): void {
    this.addSql("select set_config('app.tenant_id', '00000000-0000-0000-0000-000000000000', true)");
    this.addSql('create policy owner_seeds_tenants on tenants to current_user using (true) with check (true)');
    this.addSql(
      `insert into tenants (id, name, domain, country, currency, time_zone)
       values ('00000000-0000-0000-0000-000000000000', 'Default Tenant', 'agentmitra.com', 'IN', 'INR', 'Asia/Kolkata')`,
    );
    for (const { code, name, description, coarse_role, permissions } of systemRolesAtStart) {
      const list = permissions.map((permission) => `'${permission}'`).join(', ');
      this.addSql(
        `insert into admin_roles (code, name, description, is_system_role, coarse_role, permissions)
         values ('${code}', '${name}', '${description}', true, '${coarse_role}', array[${list}]::text[])`,
      );
    }
  }

  override down(): void {
    this.addSql('delete from admin_roles where is_system_role');
    this.addSql("delete from tenants where id = '00000000-0000-0000-0000-000000000000'");
    this.addSql('drop policy owner_seeds_tenants on tenants');
  }
}
