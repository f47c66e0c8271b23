import { Migration } from '@mikro-orm/migrations';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

/** Made anew, not replaced: it belongs to the role that it runs as. */
const findOnboardingLink = (rule: string): string[] => [
  'drop function find_onboarding_link(bytea)',
  `create function find_onboarding_link(p_token_hash bytea) returns table (tenant_id uuid, link_id uuid)
    language sql stable security definer set search_path = ''
    as $$
      select l.tenant_id, l.id from public.onboarding_link l ${rule}
    $$`,
  'revoke all on function find_onboarding_link(bytea) from public',
  'grant execute on function find_onboarding_link(bytea) to castellan_app',
  'alter function find_onboarding_link(bytea) owner to castellan_definer',
];

/**
 * Suspending and resuming tenants (S1-10, S1-63). Nobody writes into another tenant, so `tenant_set_status` is the door,
 * and it opens for the default tenant only. Sessions of a suspended tenant end with it; its onboarding links lead nowhere
 * until it is resumed.
 */
export class Migration20261121270000_tenant_status extends Migration {
  override up(): void {
    const statements = [
      'grant update (status, version, updated_at) on tenants to castellan_definer',
      `create policy definer_status on tenants for update to castellan_definer using (id <> '${defaultTenant}')`,
      'grant select (tenant_id, revoked_at), update (revoked_at, revoke_reason) on sessions to castellan_definer',
      'create policy definer_lookup on sessions for select to castellan_definer using (true)',
      'create policy definer_revoke on sessions for update to castellan_definer using (true)',
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
          end if;
        end
        $$`,
      'revoke all on function tenant_set_status(uuid, text, int) from public',
      'grant execute on function tenant_set_status(uuid, text, int) to castellan_app',
      'alter function tenant_set_status(uuid, text, int) owner to castellan_definer',
      ...findOnboardingLink(`join public.tenants t on t.id = l.tenant_id
        where l.token_hash = p_token_hash and t.status = 'active'`),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      ...findOnboardingLink('where l.token_hash = p_token_hash'),
      'drop function tenant_set_status(uuid, text, int)',
      'drop policy definer_revoke on sessions',
      'drop policy definer_lookup on sessions',
      'revoke all on sessions from castellan_definer',
      'drop policy definer_status on tenants',
      'revoke update (status, version, updated_at) on tenants from castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
