import { Migration } from '@mikro-orm/migrations';
import { purgeRows, purgeRowsAndMerges } from './helpers/purge-expired-20261201.ts';
import { tenantTable } from './helpers/tenant-table.ts';

/**
 * Merges of client records. What a merge replaced is kept in the row, because that is what undoing it puts back: for thirty
 * days, until the merge is undone, or until one of the two is erased. No version of a client is kept anywhere else.
 */
export class Migration20261201140000_client_merges extends Migration {
  override up(): void {
    const statements = [
      `create table client_merges (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        client_id uuid not null,
        merged_id uuid not null,
        taken_fields text[] not null,
        former_values jsonb check (jsonb_typeof(former_values) = 'object'),
        values_cleared_at timestamptz(3),
        moved jsonb not null check (jsonb_typeof(moved) = 'object'),
        merged_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        undo_until timestamptz(3) not null,
        undone_at timestamptz(3),
        undone_by uuid,
        constraint client_merges_tenant_id_id_key unique (tenant_id, id),
        constraint client_merges_two_check check (client_id <> merged_id),
        constraint client_merges_cleared_check check ((former_values is null) = (values_cleared_at is not null)),
        constraint client_merges_undone_check check (undone_by is null or undone_at is not null),
        constraint client_merges_client_fk foreign key (tenant_id, client_id) references clients (tenant_id, id),
        constraint client_merges_merged_fk foreign key (tenant_id, merged_id) references clients (tenant_id, id),
        constraint client_merges_merged_by_fk foreign key (tenant_id, merged_by) references users (tenant_id, id),
        constraint client_merges_undone_by_fk foreign key (tenant_id, undone_by) references users (tenant_id, id)
      )`,
      'create index client_merges_created_idx on client_merges (tenant_id, created_at desc, id desc)',
      'create index client_merges_client_idx on client_merges (tenant_id, client_id, created_at desc)',
      'create unique index client_merges_merged_key on client_merges (tenant_id, merged_id) where undone_at is null',
      'create index client_merges_merged_idx on client_merges (tenant_id, merged_id)',
      'create index client_merges_merged_by_idx on client_merges (tenant_id, merged_by)',
      'create index client_merges_undone_by_idx on client_merges (tenant_id, undone_by)',
      'create index client_merges_uncleared_idx on client_merges (undo_until) where values_cleared_at is null',
      ...tenantTable('client_merges'),
      'revoke delete on client_merges from castellan_app',

      // Whatever erases a client erases what its merges know of it.
      `create function clear_former_values() returns trigger language plpgsql set search_path = ''
        as $$
        begin
          update public.client_merges m set former_values = null, values_cleared_at = now()
            where m.tenant_id = new.tenant_id and new.id in (m.client_id, m.merged_id) and m.values_cleared_at is null;
          return null;
        end
        $$`,
      'revoke all on function clear_former_values() from public',
      'grant execute on function clear_former_values() to castellan_app',
      `create trigger clear_merges after update of erased_at on clients
        for each row when (old.erased_at is null and new.erased_at is not null) execute function clear_former_values()`,

      'create policy definer_purge_sees on client_merges for select to castellan_definer using (true)',
      'create policy definer_purge on client_merges for update to castellan_definer using (true)',
      `grant select (undo_until, values_cleared_at), update (former_values, values_cleared_at) on client_merges
        to castellan_definer`,
      ...purgeRowsAndMerges,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      ...purgeRows,
      'drop trigger clear_merges on clients',
      'drop function clear_former_values()',
      'drop table client_merges',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
