import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

const currentTenant = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";
const defaultTenant = '00000000-0000-0000-0000-000000000000';

/**
 * What roles gave at any time and who was active when (S2-13, capability 39), tenant roles that can be removed, and the
 * door through which tenants come into being (S1-19, S1-63).
 *
 * `user_status_history` is written by a trigger, so that no writer of `users` can forget it; the application may only
 * read it. A tenant cannot be made from inside a tenant, so `tenant_create` and `tenant_list` look across them, and
 * only for callers of the default tenant.
 */
export class Migration20261121150000_rights_history extends Migration {
  override up(): void {
    const statements = [
      // A tenant's role must never pass for a system role: rights go by code.
      "alter table admin_roles add constraint admin_roles_system_codes check (is_system_role or code not like 'role-%')",
      'alter table admin_roles add column deleted_at timestamptz(3)',
      'alter table admin_roles drop constraint admin_roles_code_key',
      `create unique index admin_roles_code_key on admin_roles (tenant_id, code) nulls not distinct
        where deleted_at is null`,
      'revoke delete on admin_roles from castellan_app',

      `create table admin_role_history (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid references tenants (id),
        role_id uuid not null references admin_roles (id),
        permissions text[] not null,
        parent_role_id uuid references admin_roles (id),
        changed_by uuid,
        approval_id uuid,
        created_at timestamptz(3) not null default now()
      )`,
      'create index admin_role_history_tenant_idx on admin_role_history (tenant_id, role_id, created_at desc, id desc)',
      'alter table admin_role_history enable row level security',
      'alter table admin_role_history force row level security',
      `create policy tenant_isolation on admin_role_history as restrictive to castellan_app
        using (tenant_id is null or tenant_id = ${currentTenant}) with check (tenant_id = ${currentTenant})`,
      'create policy app_access on admin_role_history to castellan_app using (true) with check (true)',
      `create policy owner_seeds_system_roles on admin_role_history to current_user
        using (tenant_id is null) with check (tenant_id is null)`,
      'grant select, insert on admin_role_history to castellan_app',
      `insert into admin_role_history (role_id, permissions, parent_role_id, created_at)
        select id, permissions, parent_role_id, created_at from admin_roles where is_system_role`,

      `create table user_status_history (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        status text not null check (status in ('active', 'inactive', 'deleted')),
        changed_by uuid,
        created_at timestamptz(3) not null default now(),
        constraint user_status_history_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id)
      )`,
      'create index user_status_history_user_idx on user_status_history (tenant_id, user_id, created_at desc, id desc)',
      ...tenantTable('user_status_history'),
      'revoke insert, update, delete on user_status_history from castellan_app',
      'grant insert on user_status_history to castellan_definer',
      'create policy definer_insert on user_status_history for insert to castellan_definer with check (true)',
      `create function remember_user_status() returns trigger
        language plpgsql security definer set search_path = ''
        as $$
        begin
          insert into public.user_status_history (tenant_id, user_id, status, changed_by)
          values (new.tenant_id, new.id, new.status, nullif(current_setting('app.user_id', true), '')::uuid);
          return null;
        end
        $$`,
      'revoke all on function remember_user_status() from public',
      `create trigger users_remember_first_status after insert on users
        for each row execute function remember_user_status()`,
      `create trigger users_remember_status after update of status on users
        for each row when (old.status is distinct from new.status) execute function remember_user_status()`,
      'alter function remember_user_status() owner to castellan_definer',

      'grant select on tenants to castellan_definer',
      'grant insert (id, name, domain, country, currency, time_zone, id_document_type) on tenants to castellan_definer',
      'create policy definer_insert on tenants for insert to castellan_definer with check (true)',
      'grant insert (id, tenant_id, email, phone_number, password_hash, full_name, role) on users to castellan_definer',
      'create policy definer_insert on users for insert to castellan_definer with check (true)',
      'grant insert (tenant_id, user_id) on admin_users to castellan_definer',
      'create policy definer_insert on admin_users for insert to castellan_definer with check (true)',
      'grant insert (tenant_id, user_id, role_id, assigned_by, reason) on admin_role_assignments to castellan_definer',
      'create policy definer_insert on admin_role_assignments for insert to castellan_definer with check (true)',
      'grant select (id, tenant_id, code) on admin_roles to castellan_definer',
      'create policy definer_lookup on admin_roles for select to castellan_definer using (tenant_id is null)',

      `create function tenant_create(
          tenant_id uuid, name text, domain text, country text, currency text, time_zone text, id_document_type text,
          user_id uuid, email text, phone_number text, password_hash text, full_name text)
        returns void language plpgsql security definer set search_path = ''
        as $$
        begin
          if current_setting('app.tenant_id', true) is distinct from '${defaultTenant}' then
            raise exception 'tenants are made from the default tenant only' using errcode = '42501';
          end if;
          insert into public.tenants (id, name, domain, country, currency, time_zone, id_document_type)
          values (tenant_create.tenant_id, tenant_create.name, tenant_create.domain, tenant_create.country,
                  tenant_create.currency, tenant_create.time_zone, tenant_create.id_document_type);
          insert into public.users (id, tenant_id, email, phone_number, password_hash, full_name, role)
          values (tenant_create.user_id, tenant_create.tenant_id, tenant_create.email, tenant_create.phone_number,
                  tenant_create.password_hash, tenant_create.full_name, 'sysadmin');
          insert into public.admin_users (tenant_id, user_id)
          values (tenant_create.tenant_id, tenant_create.user_id);
          insert into public.admin_role_assignments (tenant_id, user_id, role_id, assigned_by, reason)
          select tenant_create.tenant_id, tenant_create.user_id, r.id, tenant_create.user_id, 'first super admin'
          from public.admin_roles r where r.code = 'role-super-admin' and r.tenant_id is null;
        end
        $$`,
      'revoke all on function tenant_create(uuid, text, text, text, text, text, text, uuid, text, text, text, text) from public',
      'grant execute on function tenant_create(uuid, text, text, text, text, text, text, uuid, text, text, text, text) to castellan_app',
      'alter function tenant_create(uuid, text, text, text, text, text, text, uuid, text, text, text, text) owner to castellan_definer',

      `create function tenant_list(after_created timestamptz, after_id uuid, max_rows int) returns setof tenants
        language sql stable security definer set search_path = ''
        as $$
          select t.* from public.tenants t
          where current_setting('app.tenant_id', true) = '${defaultTenant}'
            and (after_created is null or (t.created_at, t.id) < (after_created, after_id))
          order by t.created_at desc, t.id desc
          limit max_rows
        $$`,
      'revoke all on function tenant_list(timestamptz, uuid, int) from public',
      'grant execute on function tenant_list(timestamptz, uuid, int) to castellan_app',
      'alter function tenant_list(timestamptz, uuid, int) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      'drop function tenant_list(timestamptz, uuid, int)',
      'drop function tenant_create(uuid, text, text, text, text, text, text, uuid, text, text, text, text)',
      'drop policy definer_lookup on admin_roles',
      'revoke all on admin_roles from castellan_definer',
      'drop policy definer_insert on admin_role_assignments',
      'revoke all on admin_role_assignments from castellan_definer',
      'drop policy definer_insert on admin_users',
      'revoke all on admin_users from castellan_definer',
      'drop policy definer_insert on users',
      'revoke insert (id, tenant_id, email, phone_number, password_hash, full_name, role) on users from castellan_definer',
      'drop policy definer_insert on tenants',
      'revoke insert (id, name, domain, country, currency, time_zone, id_document_type) on tenants from castellan_definer',
      'revoke select on tenants from castellan_definer',
      'grant select (id, domain, status) on tenants to castellan_definer',
      'drop trigger users_remember_status on users',
      'drop trigger users_remember_first_status on users',
      'drop function remember_user_status()',
      'drop table user_status_history',
      'drop table admin_role_history',
      'grant delete on admin_roles to castellan_app',
      'drop index admin_roles_code_key',
      'alter table admin_roles add constraint admin_roles_code_key unique nulls not distinct (tenant_id, code)',
      'alter table admin_roles drop column deleted_at',
      'alter table admin_roles drop constraint admin_roles_system_codes',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
