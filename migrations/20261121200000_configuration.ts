import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

const environments = "('development', 'staging', 'production')";
const statuses = "('pending', 'running', 'paused', 'holding', 'succeeded', 'restored', 'aborted')";

/**
 * Configuration by environment, its versions, deployments and their ledger (S2-52, S2-61, S2-77).
 *
 * What is served stands in one row for each environment, with the fencing number that every write of a rollout must
 * name. Versions and ledger rows are never changed.
 */
export class Migration20261121200000_configuration extends Migration {
  override up(): void {
    const statements = [
      `create table admin_config_proposals (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        plans jsonb not null,
        reason text not null check (length(reason) <= 1000),
        proposed_by uuid,
        created_at timestamptz(3) not null default now(),
        constraint admin_config_proposals_tenant_id_id_key unique (tenant_id, id)
      )`,
      'create index admin_config_proposals_created_idx on admin_config_proposals (tenant_id, created_at desc, id desc)',
      ...tenantTable('admin_config_proposals'),
      'revoke update, delete on admin_config_proposals from castellan_app',

      `create table admin_config_versions (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        environment text not null check (environment in ${environments}),
        config_version int not null check (config_version > 0),
        proposal_id uuid not null,
        position int not null check (position >= 0),
        base_version int,
        schema jsonb not null check (jsonb_typeof(schema) = 'object'),
        document jsonb not null,
        secrets_ciphertext text,
        digest text not null check (digest ~ '^[0-9a-f]{64}$'),
        created_at timestamptz(3) not null default now(),
        constraint admin_config_versions_tenant_id_id_key unique (tenant_id, id),
        constraint admin_config_versions_version_key unique (tenant_id, environment, config_version),
        constraint admin_config_versions_position_key unique (tenant_id, proposal_id, position),
        constraint admin_config_versions_proposal_fk foreign key (tenant_id, proposal_id)
          references admin_config_proposals (tenant_id, id)
      )`,
      ...tenantTable('admin_config_versions'),
      ...secretTable('admin_config_versions'),
      'revoke update, delete on admin_config_versions from castellan_app',

      `create table admin_environment_configs (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        environment text not null check (environment in ${environments}),
        stable_version int,
        candidate_version int,
        candidate_percentage double precision not null default 0 check (candidate_percentage between 0 and 100),
        deployment_id uuid,
        fence int not null default 0,
        ledger_seq int not null default 0,
        ledger_hash text not null check (ledger_hash ~ '^[0-9a-f]{64}$'),
        last_version int not null default 0,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_environment_configs_tenant_id_id_key unique (tenant_id, id),
        constraint admin_environment_configs_place_key unique (tenant_id, environment),
        constraint admin_environment_configs_share check ((candidate_version is null) = (candidate_percentage = 0)),
        constraint admin_environment_configs_stable_fk foreign key (tenant_id, environment, stable_version)
          references admin_config_versions (tenant_id, environment, config_version),
        constraint admin_environment_configs_candidate_fk foreign key (tenant_id, environment, candidate_version)
          references admin_config_versions (tenant_id, environment, config_version)
      )`,
      ...tenantTable('admin_environment_configs'),
      'revoke delete on admin_environment_configs from castellan_app',

      `create table admin_deployments (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        environment text not null,
        kind text not null check (kind in ('rollout', 'rollback', 'undo')),
        batch_id uuid not null,
        position int not null check (position >= 0),
        proposal_id uuid,
        config_version int not null,
        previous_version int,
        digest text not null,
        plan jsonb not null,
        status text not null default 'pending' check (status in ${statuses}),
        stage int not null default -1,
        step int not null default 0,
        candidate_percentage double precision not null default 0,
        fence int,
        run_id text,
        outcome jsonb,
        reason text check (length(reason) <= 1000),
        requested_by uuid,
        approval_id uuid,
        created_at timestamptz(3) not null default now(),
        started_at timestamptz(3),
        ended_at timestamptz(3),
        updated_at timestamptz(3) not null default now(),
        constraint admin_deployments_tenant_id_id_key unique (tenant_id, id),
        constraint admin_deployments_position_key unique (tenant_id, batch_id, kind, position),
        constraint admin_deployments_ended check ((status in ('succeeded', 'restored', 'aborted')) = (ended_at is not null)),
        constraint admin_deployments_version_fk foreign key (tenant_id, environment, config_version)
          references admin_config_versions (tenant_id, environment, config_version),
        constraint admin_deployments_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id)
      )`,
      `create unique index admin_deployments_living_key on admin_deployments (tenant_id, environment)
        where status in ('pending', 'running', 'paused', 'holding')`,
      `create index admin_deployments_due_idx on admin_deployments (updated_at)
        where status in ('pending', 'running', 'paused', 'holding')`,
      'create index admin_deployments_created_idx on admin_deployments (tenant_id, created_at desc, id desc)',
      'create index admin_deployments_digest_idx on admin_deployments (tenant_id, environment, digest)',
      'create index admin_deployments_approval_idx on admin_deployments (tenant_id, approval_id)',
      ...tenantTable('admin_deployments'),
      'revoke delete on admin_deployments from castellan_app',

      `create table admin_deployment_events (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        environment text not null,
        seq int not null check (seq > 0),
        at timestamptz(3) not null,
        event text not null check (event in
          ('started', 'stage', 'paused', 'resumed', 'held', 'succeeded', 'restored', 'aborted', 'undone')),
        deployment_id uuid not null,
        stable_version int,
        stable_digest text,
        candidate_version int,
        candidate_digest text,
        candidate_percentage double precision not null,
        approval_id uuid,
        approvers jsonb not null,
        actor_id uuid,
        evidence jsonb not null,
        prev_hash text not null,
        hash text not null,
        created_at timestamptz(3) not null default now(),
        constraint admin_deployment_events_tenant_id_id_key unique (tenant_id, id),
        constraint admin_deployment_events_seq_key unique (tenant_id, environment, seq),
        constraint admin_deployment_events_deployment_fk foreign key (tenant_id, deployment_id)
          references admin_deployments (tenant_id, id)
      )`,
      'create index admin_deployment_events_at_idx on admin_deployment_events (tenant_id, environment, at desc, seq desc)',
      'create index admin_deployment_events_deployment_idx on admin_deployment_events (tenant_id, deployment_id, seq)',
      ...tenantTable('admin_deployment_events'),
      'revoke update, delete on admin_deployment_events from castellan_app',

      `create table admin_config_reports (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        environment text not null check (environment in ${environments}),
        instance text not null check (length(instance) between 1 and 200),
        config_version int not null,
        reported_at timestamptz(3) not null default now(),
        created_at timestamptz(3) not null default now(),
        constraint admin_config_reports_tenant_id_id_key unique (tenant_id, id),
        constraint admin_config_reports_instance_key unique (tenant_id, environment, instance)
      )`,
      'create index admin_config_reports_reported_idx on admin_config_reports (tenant_id, environment, reported_at)',
      ...tenantTable('admin_config_reports'),

      // Deployments that should have a workflow, the ones that have waited longest first.
      `create function config_batches_due(quiet_seconds int, batch int)
        returns table (tenant_id uuid, batch_id uuid, requested_by uuid)
        language sql stable security definer set search_path = ''
        as $$
          select d.tenant_id, d.batch_id, (array_agg(d.requested_by))[1] from public.admin_deployments d
          where d.status in ('pending', 'running', 'paused', 'holding')
            and d.updated_at < now() - make_interval(secs => quiet_seconds)
          group by d.tenant_id, d.batch_id order by min(d.updated_at) limit batch
        $$`,
      ...definerLookup('admin_deployments', ['tenant_id', 'batch_id', 'requested_by', 'status', 'updated_at']),
      'revoke all on function config_batches_due(int, int) from public',
      'grant execute on function config_batches_due(int, int) to castellan_app',
      'alter function config_batches_due(int, int) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop function config_batches_due(int, int)');
    for (const table of [
      'admin_config_reports',
      'admin_deployment_events',
      'admin_deployments',
      'admin_environment_configs',
      'admin_config_versions',
      'admin_config_proposals',
    ]) {
      this.addSql(`drop table ${table}`);
    }
  }
}
