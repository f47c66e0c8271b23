import { Migration } from '@mikro-orm/migrations';

const versioned = ['admin_alert_thresholds', 'admin_sync_jobs', 'admin_queue_events'];

/**
 * What the documents call by a name of its own: the views `roles` and `user_roles` (S1-12, S1-13), the extensions of S4-7 where
 * the server has them, and the versions of three administrative tables (S2-66). Flags are listed by key over all environments.
 */
export class Migration20261130162000_stated_names extends Migration {
  override up(): void {
    const statements = [
      // As the caller: row-level security is that of the tables.
      `create view roles with (security_invoker = true) as
        select id as role_id, name, description, is_system_role, tenant_id from admin_roles where deleted_at is null`,
      `create view user_roles with (security_invoker = true) as
        select user_id, role_id, assigned_by, assigned_at, tenant_id from admin_role_assignments
        where revoked_at is null
          and (least(valid_until, review_due_at) is null or least(valid_until, review_due_at) > now())`,
      'grant select on roles, user_roles to castellan_app',
      ...versioned.map((table) => `alter table ${table} add column version int not null default 1`),
      'alter table admin_queue_events add column updated_at timestamptz(3) not null default now()',
      'create index admin_feature_flags_key_idx on admin_feature_flags (tenant_id, key, environment)',
      // Nothing here needs them; a server without them, or an owner who may not create them, is none the worse.
      `do $$
      declare extension text;
      begin
        foreach extension in array array['uuid-ossp', 'vector'] loop
          if exists (select from pg_available_extensions where name = extension) then
            begin
              execute format('create extension if not exists %I', extension);
            exception when insufficient_privilege or undefined_file then
              raise notice 'extension % was not created: %', extension, sqlerrm;
            end;
          end if;
        end loop;
      end $$`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  /** The extensions stay: somebody else may use them by now. */
  override down(): void {
    const statements = [
      'drop index admin_feature_flags_key_idx',
      'alter table admin_queue_events drop column updated_at',
      ...versioned.map((table) => `alter table ${table} drop column version`),
      'drop view user_roles',
      'drop view roles',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
