import { Migration } from '@mikro-orm/migrations';
import { definerLookup } from './helpers/tenant-table.ts';

/**
 * `approvals_open` lists the requests of all tenants that still wait, for the sweep that compares them with their
 * workflows. Ids and one fact only: whether the requester may still act.
 */
export class Migration20261121260000_foundation_gaps extends Migration {
  override up(): void {
    const statements = [
      ...definerLookup('admin_approvals', ['id', 'tenant_id', 'status', 'requested_by', 'workflow_id']),
      `create index admin_approvals_open_idx on admin_approvals (id) where status in ('pending', 'approved')`,
      `create function approvals_open(p_after uuid, p_limit int)
        returns table (tenant_id uuid, approval_id uuid, workflow_id text, requester_left boolean)
        language sql stable security definer set search_path = ''
        as $$
          select a.tenant_id, a.id, a.workflow_id, u.status <> 'active'
          from public.admin_approvals a
          join public.users u on u.tenant_id = a.tenant_id and u.id = a.requested_by
          where a.status in ('pending', 'approved') and (p_after is null or a.id > p_after)
          order by a.id limit p_limit
        $$`,
      'revoke all on function approvals_open(uuid, int) from public',
      'grant execute on function approvals_open(uuid, int) to castellan_app',
      'alter function approvals_open(uuid, int) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop function approvals_open(uuid, int)');
    this.addSql('drop index admin_approvals_open_idx');
    this.addSql('drop policy definer_lookup on admin_approvals');
    this.addSql('revoke select (id, tenant_id, status, requested_by, workflow_id) on admin_approvals from castellan_definer');
  }
}
