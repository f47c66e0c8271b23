import { Migration } from '@mikro-orm/migrations';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';
import { healthFunctions, healthSignatures } from './helpers/health-functions-20261121.ts';

const currentTenant = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";

/**
 * Measurements of the system, thresholds, alerts and silences: S2-32..34, S2-51, S2-75, capability 36.
 *
 * Rows of `admin_system_health` without a tenant are of the platform: all tenants see them, and only
 * `record_platform_health` writes them. One unique index serves every read; old rows go in bounded batches by the
 * other.
 */
export class Migration20261121230000_health extends Migration {
  override up(): void {
    const statements = [
      `create table admin_system_health (
        id bigint generated always as identity primary key,
        tenant_id uuid references tenants (id),
        metric text not null check (length(metric) between 1 and 100),
        resolution_seconds int not null check (resolution_seconds in (0, 300, 3600)),
        at timestamptz(3) not null,
        value double precision,
        min_value double precision,
        max_value double precision,
        known_count int not null check (known_count >= 0),
        unknown_count int not null check (unknown_count >= 0),
        reason text check (length(reason) <= 300),
        constraint admin_system_health_known check ((value is not null) = (known_count > 0)),
        constraint admin_system_health_once unique nulls not distinct (tenant_id, metric, resolution_seconds, at)
      )`,
      'create index admin_system_health_age_idx on admin_system_health (resolution_seconds, at)',
      'alter table admin_system_health enable row level security',
      'alter table admin_system_health force row level security',
      `create policy tenant_isolation on admin_system_health as restrictive to castellan_app
        using (tenant_id is null or tenant_id = ${currentTenant}) with check (tenant_id = ${currentTenant})`,
      'create policy app_access on admin_system_health to castellan_app using (true) with check (true)',
      'grant select, insert on admin_system_health to castellan_app',
      'grant select, insert, delete on admin_system_health to castellan_definer',
      'create policy definer_keeps on admin_system_health to castellan_definer using (true) with check (true)',

      `create table admin_alert_thresholds (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 100),
        metric text not null check (length(metric) between 1 and 100),
        comparator text not null check (comparator in ('gt', 'gte', 'lt', 'lte')),
        threshold double precision not null,
        clear_threshold double precision not null,
        aggregate text not null check (aggregate in ('avg', 'min', 'max')),
        window_seconds int not null check (window_seconds between 0 and 21600),
        for_seconds int not null check (for_seconds between 0 and 604800),
        severity text not null check (severity in ('info', 'warning', 'critical')),
        channel_ids uuid[] not null default '{}' check (cardinality(channel_ids) <= 20),
        note text check (length(note) <= 2000),
        is_enabled boolean not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        removed_at timestamptz(3),
        constraint admin_alert_thresholds_tenant_id_id_key unique (tenant_id, id),
        constraint admin_alert_thresholds_clear check (
          case when comparator in ('gt', 'gte') then clear_threshold <= threshold else clear_threshold >= threshold end)
      )`,
      `create unique index admin_alert_thresholds_name_key on admin_alert_thresholds (tenant_id, name)
        where removed_at is null`,
      ...tenantTable('admin_alert_thresholds'),
      'revoke delete on admin_alert_thresholds from castellan_app',

      `create table admin_alert_settings (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        created_at timestamptz(3) not null default now(),
        updated_by uuid,
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_alert_settings_tenant_id_key unique (tenant_id),
        constraint admin_alert_settings_user_fk foreign key (tenant_id, updated_by) references users (tenant_id, id)
      )`,
      ...tenantTable('admin_alert_settings'),
      'revoke delete on admin_alert_settings from castellan_app',

      `create table admin_alerts (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        threshold_id uuid not null,
        name text not null,
        metric text not null,
        severity text not null check (severity in ('info', 'warning', 'critical')),
        status text not null check (status in ('pending', 'firing', 'resolved')),
        value double precision,
        pending_since timestamptz(3),
        fired_at timestamptz(3),
        resolved_at timestamptz(3),
        resolve_reason text check (resolve_reason in ('recovered', 'removed')),
        suppressed_at timestamptz(3),
        firing_told_at timestamptz(3),
        resolved_told_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint admin_alerts_tenant_id_id_key unique (tenant_id, id),
        constraint admin_alerts_times check ((status = 'pending') = (fired_at is null)
          and (status = 'resolved') = (resolved_at is not null) and (resolved_at is null) = (resolve_reason is null)),
        constraint admin_alerts_threshold_fk foreign key (tenant_id, threshold_id)
          references admin_alert_thresholds (tenant_id, id)
      )`,
      `create unique index admin_alerts_open_key on admin_alerts (tenant_id, threshold_id)
        where status in ('pending', 'firing')`,
      `create index admin_alerts_untold_idx on admin_alerts (tenant_id, created_at) where
        (status = 'firing' and firing_told_at is null)
        or (status = 'resolved' and resolved_told_at is null and suppressed_at is null)`,
      'create index admin_alerts_created_idx on admin_alerts (tenant_id, created_at desc, id desc)',
      ...tenantTable('admin_alerts'),

      `create table admin_alert_silences (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        threshold_id uuid,
        owner_id uuid not null,
        reason text not null check (length(reason) between 1 and 1000),
        starts_at timestamptz(3) not null,
        ends_at timestamptz(3) not null,
        ended_at timestamptz(3),
        ended_by uuid,
        lapse_told_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_alert_silences_tenant_id_id_key unique (tenant_id, id),
        constraint admin_alert_silences_span check (starts_at < ends_at),
        constraint admin_alert_silences_ended check ((ended_at is null) = (ended_by is null)),
        constraint admin_alert_silences_threshold_fk foreign key (tenant_id, threshold_id)
          references admin_alert_thresholds (tenant_id, id),
        constraint admin_alert_silences_owner_fk foreign key (tenant_id, owner_id) references users (tenant_id, id),
        constraint admin_alert_silences_ender_fk foreign key (tenant_id, ended_by) references users (tenant_id, id)
      )`,
      `create index admin_alert_silences_open_idx on admin_alert_silences (tenant_id, ends_at)
        where ended_at is null and lapse_told_at is null`,
      `create index admin_alert_silences_created_idx on admin_alert_silences
        (tenant_id, created_at desc, id desc)`,
      ...tenantTable('admin_alert_silences'),
      'revoke delete on admin_alert_silences from castellan_app',

      ...definerLookup('admin_alert_thresholds', ['tenant_id', 'is_enabled', 'removed_at']),
      ...definerLookup('admin_alerts', [
        'tenant_id',
        'status',
        'firing_told_at',
        'resolved_told_at',
        'suppressed_at',
      ]),
      ...definerLookup('admin_alert_silences', ['tenant_id', 'ended_at', 'lapse_told_at']),
      ...definerLookup('admin_queues', ['tenant_id', 'removed_at']),
      // What the dashboard reads of flags, newest first.
      'create index admin_flag_history_created_idx on admin_flag_history (tenant_id, created_at desc, id desc)',
      ...healthFunctions,
      ...healthSignatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
        `alter function ${signature} owner to castellan_definer`,
      ]),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop index admin_flag_history_created_idx');
    this.addSql('drop policy definer_lookup on admin_queues');
    this.addSql('revoke select (tenant_id, removed_at) on admin_queues from castellan_definer');
    for (const signature of healthSignatures) this.addSql(`drop function ${signature}`);
    const tables = ['admin_alert_silences', 'admin_alerts', 'admin_alert_settings', 'admin_alert_thresholds'];
    for (const table of [...tables, 'admin_system_health']) this.addSql(`drop table ${table}`);
  }
}
