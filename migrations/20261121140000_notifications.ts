import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { tenantTable } from './helpers/tenant-table.ts';

/**
 * Where people and systems are told what happened, and the record of every delivery (S2-45, S2-59, S2-62).
 *
 * `development_mails` has no tenant: some mail goes to people who belong to none yet. It is written in development only.
 */
export class Migration20261121140000_notifications extends Migration {
  override up(): void {
    const statements = [
      `create table notification_channels (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 100),
        kind text not null check (kind in ('webhook', 'email')),
        url text check ((url is not null) = (kind = 'webhook') and length(url) <= 2000),
        email text check ((email is not null) = (kind = 'email') and length(email) <= 320),
        secret_ciphertext text check ((secret_ciphertext is not null) = (kind = 'webhook')),
        previous_secret_ciphertext text,
        previous_secret_expires_at timestamptz(3),
        events text[] not null check (cardinality(events) between 1 and 50),
        is_enabled boolean not null default true,
        disabled_reason text check (disabled_reason in ('by_person', 'gone')),
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        constraint notification_channels_tenant_id_id_key unique (tenant_id, id),
        constraint notification_channels_disabled check (is_enabled = (disabled_reason is null)),
        constraint notification_channels_previous
          check ((previous_secret_ciphertext is null) = (previous_secret_expires_at is null))
      )`,
      `create unique index notification_channels_name_key on notification_channels (tenant_id, name)
        where deleted_at is null`,
      'create index notification_channels_created_idx on notification_channels (tenant_id, created_at desc, id desc)',
      ...tenantTable('notification_channels'),
      ...secretTable('notification_channels'),
      'revoke delete on notification_channels from castellan_app',

      `create table notification_deliveries (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        channel_id uuid,
        user_id uuid,
        kind text not null check (kind in ('webhook', 'email')),
        event text not null check (length(event) between 1 and 100),
        event_key text not null check (length(event_key) between 1 and 300),
        subject text not null check (length(subject) between 1 and 200),
        body text not null check (length(body) <= 20000),
        payload jsonb not null,
        status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
        attempts int not null default 0,
        last_status int,
        last_error text check (length(last_error) <= 500),
        next_attempt_at timestamptz(3),
        delivered_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint notification_deliveries_tenant_id_id_key unique (tenant_id, id),
        constraint notification_deliveries_target check ((channel_id is null) <> (user_id is null)),
        constraint notification_deliveries_once unique nulls not distinct (tenant_id, event_key, channel_id, user_id),
        constraint notification_deliveries_channel_fk foreign key (tenant_id, channel_id)
          references notification_channels (tenant_id, id),
        constraint notification_deliveries_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id)
      )`,
      'create index notification_deliveries_created_idx on notification_deliveries (tenant_id, created_at desc, id desc)',
      `create index notification_deliveries_channel_idx on notification_deliveries
        (tenant_id, channel_id, created_at desc, id desc)`,
      ...tenantTable('notification_deliveries'),
      'revoke delete on notification_deliveries from castellan_app',

      `create table development_mails (
        id bigint generated always as identity primary key,
        recipient text not null,
        subject text not null,
        body text not null,
        created_at timestamptz(3) not null default now()
      )`,
      'grant select, insert on development_mails to castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const table of ['development_mails', 'notification_deliveries', 'notification_channels']) {
      this.addSql(`drop table ${table}`);
    }
  }
}
