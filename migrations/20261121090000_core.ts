import { Migration } from '@mikro-orm/migrations';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * Tenants, people, sessions, roles: S1-10..13, S1-20, S4-1, S4-3, S2-46, X-6, X-11.
 *
 * People sign in before a tenant is known, so `auth_find_users` looks across tenants; it is the only such function here.
 */
export class Migration20261121090000_core extends Migration {
  override up(): void {
    const statements = [
      'create extension if not exists pgcrypto',
      'grant usage on schema public to castellan_app, castellan_definer',

      `create table tenants (
        id uuid primary key default gen_random_uuid(),
        name text not null check (length(name) between 1 and 200),
        domain text not null unique check (domain = lower(domain)),
        status text not null default 'active' check (status in ('active', 'suspended')),
        country char(2) not null default 'IN',
        currency char(3) not null default 'INR',
        time_zone text not null default 'UTC',
        id_document_type text not null default 'none' check (id_document_type in ('none', 'cpf', 'pan')),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1
      )`,
      ...tenantTable('tenants', 'id'),
      'revoke insert, delete on tenants from castellan_app',
      ...definerLookup('tenants', ['id', 'domain', 'status']),

      `create table users (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        email text check (email = lower(email) and length(email) <= 320),
        phone_number text check (phone_number ~ '^\\+[1-9][0-9]{6,14}$'),
        password_hash text,
        full_name text not null check (length(full_name) between 1 and 200),
        role text not null default 'user' check (role in ('sysadmin', 'admin', 'user')),
        status text not null default 'active' check (status in ('active', 'inactive', 'deleted')),
        is_active boolean not null generated always as (status = 'active') stored,
        time_zone text,
        sign_in_requires_totp boolean not null default false,
        last_sign_in_at timestamptz(3),
        password_changed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        constraint users_tenant_id_id_key unique (tenant_id, id),
        constraint users_email_or_phone check (email is not null or phone_number is not null)
      )`,
      "create unique index users_tenant_email_key on users (tenant_id, email) where status <> 'deleted'",
      "create unique index users_tenant_phone_key on users (tenant_id, phone_number) where status <> 'deleted'",
      'create index users_email_idx on users (email)',
      'create index users_phone_number_idx on users (phone_number)',
      'create index users_tenant_created_idx on users (tenant_id, created_at desc, id desc)',
      ...tenantTable('users'),
      'revoke delete on users from castellan_app',
      ...definerLookup('users', ['id', 'tenant_id', 'email', 'phone_number', 'password_hash', 'status']),

      `create table admin_users (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        job_title text check (length(job_title) <= 200),
        department text check (length(department) <= 200),
        notes text check (length(notes) <= 2000),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_users_tenant_id_id_key unique (tenant_id, id),
        constraint admin_users_user_key unique (tenant_id, user_id),
        constraint admin_users_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
      )`,
      ...tenantTable('admin_users'),

      `create table user_preferences (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        language text not null default 'en' check (language ~ '^[a-z]{2}(-[A-Z]{2})?$'),
        theme text not null default 'system' check (theme in ('system', 'light', 'dark')),
        week_start text not null default 'monday' check (week_start in ('monday', 'saturday', 'sunday')),
        email_notifications boolean not null default true,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint user_preferences_user_key unique (tenant_id, user_id),
        constraint user_preferences_user_fk foreign key (tenant_id, user_id)
          references users (tenant_id, id) on delete cascade
      )`,
      ...tenantTable('user_preferences'),

      `create table user_identities (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        issuer text not null,
        subject text not null check (length(subject) between 1 and 255),
        created_at timestamptz(3) not null default now(),
        constraint user_identities_subject_key unique (tenant_id, issuer, subject),
        constraint user_identities_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
      )`,
      'create index user_identities_user_idx on user_identities (tenant_id, user_id)',
      ...tenantTable('user_identities'),

      `create table sessions (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        method text not null check (method in ('password', 'oidc', 'bearer')),
        ip inet,
        user_agent text check (length(user_agent) <= 500),
        created_at timestamptz(3) not null default now(),
        last_used_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        mfa_at timestamptz(3),
        external_key text,
        revoked_at timestamptz(3),
        revoke_reason text check (revoke_reason in
          ('sign_out', 'forced', 'deactivated', 'refresh_reuse', 'password_changed', 'expired')),
        constraint sessions_tenant_id_id_key unique (tenant_id, id),
        constraint sessions_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
      )`,
      'create index sessions_user_idx on sessions (tenant_id, user_id, created_at desc)',
      'create unique index sessions_external_key on sessions (tenant_id, external_key) where external_key is not null',
      ...tenantTable('sessions'),

      `create table refresh_tokens (
        token_hash bytea primary key,
        tenant_id uuid not null,
        session_id uuid not null,
        issued_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        used_at timestamptz(3),
        constraint refresh_tokens_session_fk foreign key (tenant_id, session_id)
          references sessions (tenant_id, id) on delete cascade
      )`,
      'create index refresh_tokens_session_idx on refresh_tokens (tenant_id, session_id)',
      ...tenantTable('refresh_tokens'),

      `create table oidc_sign_ins (
        state_hash bytea primary key,
        provider text not null,
        sealed text not null,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null
      )`,
      'grant select, insert, delete on oidc_sign_ins to castellan_app',

      `create table admin_roles (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid references tenants (id),
        code text not null check (code ~ '^[a-z][a-z0-9-]{1,62}$'),
        name text not null check (length(name) between 1 and 100),
        description text not null default '' check (length(description) <= 500),
        is_system_role boolean not null default false,
        parent_role_id uuid references admin_roles (id),
        coarse_role text not null default 'user' check (coarse_role in ('sysadmin', 'admin', 'user')),
        permissions text[] not null default '{}',
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_roles_code_key unique nulls not distinct (tenant_id, code),
        constraint admin_roles_system_is_global check (is_system_role = (tenant_id is null)),
        constraint admin_roles_no_self_parent check (parent_role_id <> id)
      )`,
      'alter table admin_roles enable row level security',
      'alter table admin_roles force row level security',
      `create policy tenant_isolation on admin_roles as restrictive to castellan_app
        using (tenant_id is null or tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
        with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))`,
      'create policy app_access on admin_roles to castellan_app using (true) with check (true)',
      'create policy owner_seeds_system_roles on admin_roles to current_user using (tenant_id is null) with check (tenant_id is null)',
      'grant select, insert, update, delete on admin_roles to castellan_app',

      `create table admin_role_permissions (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        role_id uuid not null references admin_roles (id) on delete cascade,
        permissions text[] not null,
        updated_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_role_permissions_role_key unique (tenant_id, role_id)
      )`,
      ...tenantTable('admin_role_permissions'),

      `create table admin_role_assignments (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        role_id uuid not null references admin_roles (id),
        assigned_by uuid,
        approval_id uuid,
        reason text check (length(reason) <= 500),
        assigned_at timestamptz(3) not null default now(),
        valid_until timestamptz(3),
        review_due_at timestamptz(3),
        revoked_at timestamptz(3),
        revoked_by uuid,
        created_at timestamptz(3) not null default now(),
        constraint admin_role_assignments_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id),
        constraint admin_role_assignments_span check (valid_until is null or valid_until > assigned_at)
      )`,
      'create unique index admin_role_assignments_living_key on admin_role_assignments (tenant_id, user_id, role_id) where revoked_at is null',
      'create index admin_role_assignments_role_idx on admin_role_assignments (tenant_id, role_id)',
      'create index admin_role_assignments_ledger_idx on admin_role_assignments (tenant_id, assigned_at desc, id desc)',
      ...tenantTable('admin_role_assignments'),
      'revoke delete on admin_role_assignments from castellan_app',

      `create table user_agent_permissions (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        agent_name text not null
          check (agent_name in ('client_management', 'pdf_processing', 'reports_analysis', 'audio_recording')),
        can_create boolean not null default false,
        can_read boolean not null default false,
        can_update boolean not null default false,
        can_delete boolean not null default false,
        granted_by uuid,
        expires_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint user_agent_permissions_user_agent_key unique (tenant_id, user_id, agent_name),
        constraint user_agent_permissions_user_fk foreign key (tenant_id, user_id)
          references users (tenant_id, id) on delete cascade
      )`,
      ...tenantTable('user_agent_permissions'),

      `create table service_tokens (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 100),
        token_hash bytea not null,
        last4 char(4) not null,
        environment text check (environment in ('development', 'staging', 'production')),
        permissions text[] not null check (cardinality(permissions) > 0),
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3),
        revoked_at timestamptz(3),
        revoked_by uuid,
        constraint service_tokens_tenant_id_id_key unique (tenant_id, id)
      )`,
      'create index service_tokens_list_idx on service_tokens (tenant_id, created_at desc, id desc)',
      ...tenantTable('service_tokens'),
      'revoke delete on service_tokens from castellan_app',

      `create table idempotency_keys (
        tenant_id uuid not null,
        principal text not null,
        key text not null check (length(key) between 1 and 255),
        fingerprint bytea not null,
        status int,
        response_sealed text,
        created_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        primary key (tenant_id, principal, key)
      )`,
      'create index idempotency_keys_expires_idx on idempotency_keys (expires_at)',
      ...tenantTable('idempotency_keys'),

      `create function auth_find_users(identifier text, tenant_domain text)
        returns table (tenant_id uuid, user_id uuid, password_hash text)
        language sql stable security definer set search_path = ''
        as $$
          select u.tenant_id, u.id, u.password_hash
          from public.users u join public.tenants t on t.id = u.tenant_id
          where (u.email = lower(identifier) or u.phone_number = identifier)
            and u.status = 'active' and t.status = 'active'
            and (tenant_domain is null or t.domain = lower(tenant_domain))
          limit 2
        $$`,
      'revoke all on function auth_find_users(text, text) from public',
      'grant execute on function auth_find_users(text, text) to castellan_app',
      'alter function auth_find_users(text, text) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop function auth_find_users(text, text)');
    const tables = [
      'idempotency_keys',
      'service_tokens',
      'user_agent_permissions',
      'admin_role_assignments',
      'admin_role_permissions',
      'admin_roles',
      'oidc_sign_ins',
      'refresh_tokens',
      'sessions',
      'user_identities',
      'user_preferences',
      'admin_users',
      'users',
      'tenants',
    ];
    for (const table of tables) this.addSql(`drop table ${table}`);
  }
}
