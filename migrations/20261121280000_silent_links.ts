import { Migration } from '@mikro-orm/migrations';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

/** Made anew, not replaced: it belongs to the role that it runs as. */
const tenantSetStatus = (onResume: string): string[] => [
  'drop function tenant_set_status(uuid, text, int)',
  `create function tenant_set_status(p_tenant_id uuid, p_status text, p_version int)
    returns table (changed boolean, status text, version int)
    language plpgsql volatile security definer set search_path = ''
    as $$
    begin
      if current_setting('app.tenant_id', true) is distinct from '${defaultTenant}' then
        raise exception 'the status of tenants is set from the default tenant only' using errcode = '42501';
      end if;
      return query
        update public.tenants t set status = p_status, version = t.version + 1, updated_at = now()
        where t.id = p_tenant_id and t.version = p_version and t.status <> p_status
        returning true, t.status, t.version;
      if not found then
        return query select false, t.status, t.version from public.tenants t where t.id = p_tenant_id;
      elsif p_status = 'suspended' then
        update public.sessions s set revoked_at = now(), revoke_reason = 'forced'
        where s.tenant_id = p_tenant_id and s.revoked_at is null;
      ${onResume}
      end if;
    end
    $$`,
  'revoke all on function tenant_set_status(uuid, text, int) from public',
  'grant execute on function tenant_set_status(uuid, text, int) to castellan_app',
  'alter function tenant_set_status(uuid, text, int) owner to castellan_definer',
];

/**
 * Reminders and warnings of onboarding links wait while their tenant is suspended. Resuming it marks the open links as not
 * attended, so that the sweep tells their workflows to look again.
 */
export class Migration20261121280000_silent_links extends Migration {
  override up(): void {
    const statements = [
      'grant update (attended_at) on onboarding_link to castellan_definer',
      'create policy definer_resume on onboarding_link for update to castellan_definer using (true)',
      ...tenantSetStatus(`else
        update public.onboarding_link l set attended_at = null
        where l.tenant_id = p_tenant_id and l.status in ('pending', 'opened', 'in_progress');`),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      ...tenantSetStatus(''),
      'drop policy definer_resume on onboarding_link',
      'revoke update (attended_at) on onboarding_link from castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
