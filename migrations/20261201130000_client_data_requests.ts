import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

const remindedBefore = 'cardinality(reminder_days) <= 10 and 0 <= all (reminder_days) and 90 >= all (reminder_days)';

/** Requests of clients about their data, each with the due date that the settings of its time gave it (LGPD art. 18 and 19). */
export class Migration20261201130000_client_data_requests extends Migration {
  override up(): void {
    const statements = [
      `create table client_settings (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        created_at timestamptz(3) not null default now(),
        data_request_days int not null check (data_request_days between 1 and 90),
        reminder_days int[] not null check (${remindedBefore}),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint client_settings_tenant_id_key unique (tenant_id),
        constraint client_settings_tenant_id_id_key unique (tenant_id, id)
      )`,
      ...tenantTable('client_settings'),
      'revoke delete on client_settings from castellan_app',

      `create table client_data_requests (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        created_at timestamptz(3) not null default now(),
        client_id uuid not null,
        kind text not null check (kind in ('access', 'erasure')),
        status text not null default 'open' check (status in ('open', 'fulfilled', 'refused', 'withdrawn')),
        received_on date not null,
        due_on date not null check (due_on > received_on),
        reminder_days int[] not null check (${remindedBefore}),
        reminded_days int,
        overdue_told_at timestamptz(3),
        note text check (length(note) <= 500),
        refusal_reason text check (length(refusal_reason) <= 500),
        created_by uuid,
        approval_id uuid,
        fulfilled_at timestamptz(3),
        available_until timestamptz(3),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint client_data_requests_tenant_id_id_key unique (tenant_id, id),
        constraint client_data_requests_fulfilled_check check ((status = 'fulfilled') = (fulfilled_at is not null)),
        constraint client_data_requests_available_check check (available_until is null or (kind = 'access' and status = 'fulfilled')),
        constraint client_data_requests_refused_check check (refusal_reason is null or status = 'refused'),
        constraint client_data_requests_client_fk foreign key (tenant_id, client_id) references clients (tenant_id, id),
        constraint client_data_requests_created_by_fk foreign key (tenant_id, created_by) references users (tenant_id, id),
        constraint client_data_requests_approval_fk foreign key (tenant_id, approval_id) references admin_approvals (tenant_id, id)
      )`,
      `create unique index client_data_requests_open_key on client_data_requests (tenant_id, client_id, kind) where status = 'open'`,
      'create index client_data_requests_due_idx on client_data_requests (tenant_id, due_on, id)',
      'create index client_data_requests_status_due_idx on client_data_requests (tenant_id, status, due_on, id)',
      'create index client_data_requests_client_idx on client_data_requests (tenant_id, client_id)',
      'create index client_data_requests_created_by_idx on client_data_requests (tenant_id, created_by)',
      'create index client_data_requests_approval_idx on client_data_requests (tenant_id, approval_id)',
      ...tenantTable('client_data_requests'),
      'revoke delete on client_data_requests from castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop table client_data_requests');
    this.addSql('drop table client_settings');
  }
}
