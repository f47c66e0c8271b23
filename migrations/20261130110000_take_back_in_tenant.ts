import { Migration } from '@mikro-orm/migrations';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

const signature = 'naming_take_back_link(uuid)';

/**
 * A naming is taken back in one transaction of both tenants, each under its own row-level security: the function that voided a
 * link from outside, and the rights that it needed, are gone.
 */
export class Migration20261130110000_take_back_in_tenant extends Migration {
  override up(): void {
    this.addSql(`drop function ${signature}`);
    this.addSql('drop policy definer_take_back on account_links');
    this.addSql('revoke update (revoked_at, totp_secret_ciphertext) on account_links from castellan_definer');
  }

  override down(): void {
    const statements = [
      'grant update (revoked_at, totp_secret_ciphertext) on account_links to castellan_definer',
      'create policy definer_take_back on account_links for update to castellan_definer using (true)',
      `create function naming_take_back_link(p_naming_id uuid) returns table (used_at timestamptz, counts_from timestamptz)
        language plpgsql volatile security definer set search_path = ''
        as $$
        begin
          if current_setting('app.tenant_id', true) is distinct from '${defaultTenant}' then
            raise exception 'namings are taken back from the default tenant only' using errcode = '42501';
          end if;
          -- One that is being used meanwhile is waited for.
          update public.account_links l set revoked_at = clock_timestamp(), totp_secret_ciphertext = null
          from public.administrator_namings n
          where n.id = p_naming_id and l.id in (n.id, n.link_id) and l.tenant_id = n.named_tenant_id
            and l.used_at is null and l.revoked_at is null;
          return query
          select l.used_at, u.decisions_count_from
          from public.administrator_namings n
            join public.account_links l on l.id in (n.id, n.link_id) and l.tenant_id = n.named_tenant_id
            join public.users u on u.id = l.user_id
          where n.id = p_naming_id and l.used_at is not null;
        end
        $$`,
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to castellan_app`,
      `alter function ${signature} owner to castellan_definer`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
