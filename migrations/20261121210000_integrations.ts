import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

const functions = [
  // Whose integration a webhook address is: all that can be learned without a tenant.
  `create function find_webhook_source(p_integration_id uuid) returns table (tenant_id uuid, integration_id uuid)
    language sql stable security definer set search_path = ''
    as $$
      select i.tenant_id, i.id from public.admin_integrations i
      where i.id = p_integration_id and i.kind = 'webhook_source' and i.deleted_at is null
    $$`,

  // What the sweep looks after: integrations whose Schedule is behind their row, and rotations that are not at their end.
  `create function integrations_due(p_limit int)
    returns table (kind text, tenant_id uuid, integration_id uuid, rotation_id uuid)
    language sql stable security definer set search_path = ''
    as $$
      (select 'schedule', i.tenant_id, i.id, null::uuid from public.admin_integrations i
       where i.is_schedule_due order by i.updated_at limit p_limit)
      union all
      (select 'rotation', r.tenant_id, r.integration_id, r.id from public.admin_key_rotations r
       where r.status not in ('completed', 'aborted', 'failed') order by r.updated_at limit p_limit)
    $$`,
];
const signatures = ['find_webhook_source(uuid)', 'integrations_due(int)'];

/** Integrations, their syncs, records and key rotations: S2-17..22, S2-48, S2-58, capabilities 22–26. */
export class Migration20261121210000_integrations extends Migration {
  override up(): void {
    const statements = [
      `create table admin_integrations (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 100),
        kind text not null
          check (kind in ('rest_api_key', 'oauth2_client_credentials', 'webhook_source', 'postgres_source')),
        environment text not null check (environment in ('development', 'staging', 'production')),
        config jsonb not null,
        secret_ciphertext text not null,
        secret_fingerprint text not null,
        secret_changed_at timestamptz(3) not null default now(),
        key_id text check (length(key_id) between 1 and 200),
        is_enabled boolean not null default true,
        sync_every_seconds int check (sync_every_seconds between 60 and 2678400),
        is_schedule_due boolean not null default false,
        last_sync_status text
          check (last_sync_status in ('running', 'succeeded', 'completed_with_failures', 'failed', 'cancelled')),
        last_sync_at timestamptz(3),
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        constraint admin_integrations_tenant_id_id_key unique (tenant_id, id),
        constraint admin_integrations_kind check (config ->> 'kind' = kind),
        constraint admin_integrations_pulled check (sync_every_seconds is null or kind <> 'webhook_source'),
        constraint admin_integrations_creator_fk foreign key (tenant_id, created_by) references users (tenant_id, id)
      )`,
      'create unique index admin_integrations_name_key on admin_integrations (tenant_id, name) where deleted_at is null',
      'create index admin_integrations_created_idx on admin_integrations (tenant_id, created_at desc, id desc)',
      'create index admin_integrations_due_idx on admin_integrations (updated_at) where is_schedule_due',
      ...tenantTable('admin_integrations'),
      ...secretTable('admin_integrations'),
      'revoke delete on admin_integrations from castellan_app',

      `create table admin_sync_jobs (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        integration_id uuid not null,
        trigger text not null check (trigger in ('manual', 'schedule')),
        requested_by uuid,
        status text not null default 'running'
          check (status in ('running', 'succeeded', 'completed_with_failures', 'failed', 'cancelled')),
        created_count int not null default 0 check (created_count >= 0),
        updated_count int not null default 0 check (updated_count >= 0),
        unchanged_count int not null default 0 check (unchanged_count >= 0),
        failed_count int not null default 0 check (failed_count >= 0),
        page_count int not null default 0 check (page_count >= 0),
        cursor text check (length(cursor) <= 2000),
        failures jsonb not null default '[]',
        error_code text check (length(error_code) <= 100),
        error_detail text check (length(error_detail) <= 500),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        ended_at timestamptz(3),
        constraint admin_sync_jobs_tenant_id_id_key unique (tenant_id, id),
        constraint admin_sync_jobs_ended check ((status = 'running') = (ended_at is null)),
        constraint admin_sync_jobs_failed check ((status = 'failed') = (error_code is not null)),
        constraint admin_sync_jobs_integration_fk foreign key (tenant_id, integration_id)
          references admin_integrations (tenant_id, id)
      )`,
      `create unique index admin_sync_jobs_running_key on admin_sync_jobs (tenant_id, integration_id)
        where status = 'running'`,
      'create index admin_sync_jobs_created_idx on admin_sync_jobs (tenant_id, integration_id, created_at desc, id desc)',
      ...tenantTable('admin_sync_jobs'),
      'revoke delete on admin_sync_jobs from castellan_app',

      `create table integration_records (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        integration_id uuid not null,
        external_id text not null check (length(external_id) between 1 and 200),
        payload_digest char(64) not null,
        payload jsonb not null,
        sync_job_id uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint integration_records_tenant_id_id_key unique (tenant_id, id),
        constraint integration_records_key unique (tenant_id, integration_id, external_id),
        constraint integration_records_integration_fk foreign key (tenant_id, integration_id)
          references admin_integrations (tenant_id, id),
        constraint integration_records_job_fk foreign key (tenant_id, sync_job_id)
          references admin_sync_jobs (tenant_id, id)
      )`,
      `create index integration_records_created_idx on integration_records
        (tenant_id, integration_id, created_at desc, id desc)`,
      ...tenantTable('integration_records'),

      `create table integration_messages (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        integration_id uuid not null,
        message_id text not null check (length(message_id) between 1 and 200),
        created_at timestamptz(3) not null default now(),
        constraint integration_messages_tenant_id_id_key unique (tenant_id, id),
        constraint integration_messages_key unique (tenant_id, integration_id, message_id),
        constraint integration_messages_integration_fk foreign key (tenant_id, integration_id)
          references admin_integrations (tenant_id, id)
      )`,
      'create index integration_messages_created_idx on integration_messages (tenant_id, integration_id, created_at)',
      ...tenantTable('integration_messages'),
      'revoke update on integration_messages from castellan_app',

      `create table admin_key_rotations (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        integration_id uuid not null,
        requested_by uuid,
        approval_id uuid,
        reason text check (length(reason) <= 500),
        status text not null default 'requested' check (status in ('requested', 'created', 'verified', 'switched',
          'revoking', 'discarding', 'completed', 'aborted', 'failed')),
        grace_seconds int not null check (grace_seconds between 0 and 2592000),
        old_key_id text not null,
        old_fingerprint text not null,
        new_key_id text check (length(new_key_id) between 1 and 200),
        new_fingerprint text,
        new_secret_ciphertext text,
        old_secret_ciphertext text,
        creation_started_at timestamptz(3),
        verified_at timestamptz(3),
        switched_at timestamptz(3),
        grace_until timestamptz(3),
        revoke_attempts int not null default 0,
        next_attempt_at timestamptz(3),
        refused_at timestamptz(3),
        attempt_error_code text check (length(attempt_error_code) <= 100),
        attempt_error_detail text check (length(attempt_error_detail) <= 500),
        error_code text check (length(error_code) <= 100),
        error_detail text check (length(error_detail) <= 500),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        ended_at timestamptz(3),
        constraint admin_key_rotations_tenant_id_id_key unique (tenant_id, id),
        constraint admin_key_rotations_ended
          check ((status in ('completed', 'aborted', 'failed')) = (ended_at is not null)),
        -- No way to an end leaves a secret behind, and none is lost on the way there.
        constraint admin_key_rotations_new_secret
          check ((new_secret_ciphertext is not null) or status not in ('created', 'verified')),
        constraint admin_key_rotations_old_secret
          check ((old_secret_ciphertext is not null) = (status in ('switched', 'revoking'))),
        constraint admin_key_rotations_no_secret
          check (new_secret_ciphertext is null or status in ('created', 'verified', 'discarding')),
        constraint admin_key_rotations_failed
          check ((error_code is not null) or status <> 'failed'),
        constraint admin_key_rotations_proven check ((status = 'completed') = (refused_at is not null)),
        constraint admin_key_rotations_integration_fk foreign key (tenant_id, integration_id)
          references admin_integrations (tenant_id, id)
      )`,
      `create unique index admin_key_rotations_open_key on admin_key_rotations (tenant_id, integration_id)
        where status not in ('completed', 'aborted', 'failed')`,
      `create index admin_key_rotations_created_idx on admin_key_rotations
        (tenant_id, integration_id, created_at desc, id desc)`,
      `create index admin_key_rotations_due_idx on admin_key_rotations (updated_at)
        where status not in ('completed', 'aborted', 'failed')`,
      ...tenantTable('admin_key_rotations'),
      ...secretTable('admin_key_rotations'),
      'revoke delete on admin_key_rotations from castellan_app',

      ...functions,
      ...definerLookup('admin_integrations', [
        'id',
        'tenant_id',
        'kind',
        'deleted_at',
        'is_schedule_due',
        'updated_at',
      ]),
      ...definerLookup('admin_key_rotations', ['id', 'tenant_id', 'integration_id', 'status', 'updated_at']),
      ...signatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
        `alter function ${signature} owner to castellan_definer`,
      ]),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const signature of signatures) this.addSql(`drop function ${signature}`);
    for (const table of [
      'admin_key_rotations',
      'integration_messages',
      'integration_records',
      'admin_sync_jobs',
      'admin_integrations',
    ]) {
      this.addSql(`drop table ${table}`);
    }
  }
}
