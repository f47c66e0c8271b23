import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

/**
 * Approved exports of client records with full CPF. A row says who may fetch which clients until when; the file is made when it is
 * fetched, so that no full number lies anywhere but in `clients`.
 */
export class Migration20261201120000_client_exports extends Migration {
  override up(): void {
    const statements = [
      `create table client_exports (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        filters jsonb not null check (jsonb_typeof(filters) = 'object' and length(filters::text) <= 2000),
        reason text not null check (length(reason) between 1 and 500),
        requested_by uuid not null,
        approval_id uuid not null,
        expires_at timestamptz(3) not null,
        downloads int not null default 0 check (downloads >= 0),
        last_downloaded_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint client_exports_tenant_id_id_key unique (tenant_id, id),
        constraint client_exports_tenant_approval_key unique (tenant_id, approval_id),
        constraint client_exports_expires_after_check check (expires_at > created_at),
        constraint client_exports_downloaded_check check ((downloads = 0) = (last_downloaded_at is null)),
        constraint client_exports_requested_by_fk foreign key (tenant_id, requested_by) references users (tenant_id, id),
        constraint client_exports_approval_fk foreign key (tenant_id, approval_id) references admin_approvals (tenant_id, id)
      )`,
      'create index client_exports_requester_idx on client_exports (tenant_id, requested_by, created_at desc, id desc)',
      ...tenantTable('client_exports'),
      'revoke delete on client_exports from castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop table client_exports');
  }
}
