import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

/**
 * Queues that a tenant has registered, with the pause that is in force, and everything that was done to them (S2-49).
 * Four permissions are new; the two roles that hold every permission of operations get them.
 */
export class Migration20261121220000_queues extends Migration {
  override up(): void {
    const defaultTenant = '00000000-0000-0000-0000-000000000000';
    const newPermissions = 'queue:manage,queue:bulk-retry,queue:promote,queue:remove';
    const uuidPrefix = '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\\.';
    const statements = [
      `create table admin_queues (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
        provider text not null check (provider in ('bullmq', 'temporal')),
        source_name text not null check (source_name ~ '^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$'),
        environment text not null check (environment in ('development', 'staging', 'production')),
        description text not null default '' check (length(description) <= 1000),
        pause_id uuid,
        pause_state text check (pause_state in ('pausing', 'paused')),
        pause_reason text check (length(pause_reason) <= 1000),
        paused_by uuid,
        paused_at timestamptz(3),
        paused_until timestamptz(3),
        created_by uuid,
        removed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_queues_tenant_id_id_key unique (tenant_id, id),
        constraint admin_queues_pause_whole check (num_nonnulls(pause_id, pause_state, pause_reason, paused_at, paused_until)
          in (0, 5)),
        -- The engine knows no tenants: whose queue it is stands in its name.
        constraint admin_queues_own_source check (provider <> 'bullmq' or source_name like tenant_id::text || '.%'
          or (tenant_id = '${defaultTenant}' and source_name !~ '${uuidPrefix}'))
      )`,
      'create unique index admin_queues_name_key on admin_queues (tenant_id, name) where removed_at is null',
      `create unique index admin_queues_source_key on admin_queues (tenant_id, provider, source_name)
        where removed_at is null`,
      ...tenantTable('admin_queues'),
      'revoke delete on admin_queues from castellan_app',

      `create table admin_queue_events (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        queue_id uuid not null,
        kind text not null check (kind in ('register', 'unregister', 'pause', 'resume', 'retry', 'promote', 'remove',
          'clean', 'bulk_retry')),
        state text not null check (state in ('requested', 'running', 'done', 'failed', 'stopped', 'cancelled')),
        job_id text check (length(job_id) <= 200),
        reason text check (length(reason) <= 1000),
        details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
        requested_by uuid,
        approval_id uuid,
        created_at timestamptz(3) not null default now(),
        finished_at timestamptz(3),
        constraint admin_queue_events_tenant_id_id_key unique (tenant_id, id),
        constraint admin_queue_events_finished check ((state in ('requested', 'running')) = (finished_at is null)),
        constraint admin_queue_events_queue_fk foreign key (tenant_id, queue_id) references admin_queues (tenant_id, id),
        constraint admin_queue_events_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id)
      )`,
      `create index admin_queue_events_queue_idx
        on admin_queue_events (tenant_id, queue_id, created_at desc, id desc)`,
      'create index admin_queue_events_approval_idx on admin_queue_events (tenant_id, approval_id)',
      ...tenantTable('admin_queue_events'),
      'revoke delete on admin_queue_events from castellan_app',

      `update admin_roles set permissions = permissions || '{${newPermissions}}'
        where is_system_role and code in ('role-super-admin', 'role-provider-admin')`,
      `insert into admin_role_history (role_id, permissions, parent_role_id)
        select id, permissions, parent_role_id from admin_roles
        where is_system_role and code in ('role-super-admin', 'role-provider-admin')`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const permission of ['queue:manage', 'queue:bulk-retry', 'queue:promote', 'queue:remove']) {
      this.addSql(`update admin_roles set permissions = array_remove(permissions, '${permission}') where is_system_role`);
    }
    this.addSql('drop table admin_queue_events');
    this.addSql('drop table admin_queues');
  }
}
