import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

/** Feature flags by environment and the snapshot of each of their versions (S2-47, S2-60, X-21). */
export class Migration20261121120000_feature_flags extends Migration {
  override up(): void {
    const statements = [
      `create table admin_feature_flags (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        key text not null check (key ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
        environment text not null check (environment in ('development', 'staging', 'production')),
        description text not null default '' check (length(description) <= 1000),
        value_type text not null check (value_type in ('boolean', 'string', 'number', 'object')),
        variants jsonb not null check (jsonb_typeof(variants) = 'object'),
        enabled boolean not null default false,
        on_variant text not null,
        off_variant text not null,
        rollout_percentage double precision not null default 0 check (rollout_percentage between 0 and 100),
        rules jsonb not null default '[]' check (jsonb_typeof(rules) = 'array'),
        updated_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_feature_flags_tenant_id_id_key unique (tenant_id, id),
        constraint admin_feature_flags_place_key unique (tenant_id, environment, key),
        constraint admin_feature_flags_variants check (variants ? on_variant and variants ? off_variant)
      )`,
      ...tenantTable('admin_feature_flags'),
      'revoke delete on admin_feature_flags from castellan_app',

      `create table admin_flag_history (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        flag_id uuid not null,
        key text not null,
        environment text not null,
        version int not null,
        change text not null check (change in ('created', 'updated', 'toggled', 'emergency_off')),
        definition jsonb not null,
        changed_by uuid,
        reason text check (length(reason) <= 1000),
        approval_id uuid,
        created_at timestamptz(3) not null default now(),
        constraint admin_flag_history_tenant_id_id_key unique (tenant_id, id),
        constraint admin_flag_history_version_key unique (tenant_id, flag_id, version),
        constraint admin_flag_history_flag_fk foreign key (tenant_id, flag_id)
          references admin_feature_flags (tenant_id, id),
        constraint admin_flag_history_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id)
      )`,
      'create index admin_flag_history_key_idx on admin_flag_history (tenant_id, key, created_at desc, id desc)',
      'create index admin_flag_history_approval_idx on admin_flag_history (tenant_id, approval_id)',
      ...tenantTable('admin_flag_history'),
      'revoke update, delete on admin_flag_history from castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop table admin_flag_history');
    this.addSql('drop table admin_feature_flags');
  }
}
