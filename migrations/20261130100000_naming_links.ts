import { Migration } from '@mikro-orm/migrations';
import { definerLookup } from './helpers/tenant-table.ts';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

const signatures = ['naming_lock_open(uuid)', 'naming_take_back_link(uuid)'];

/**
 * A naming and its link decide about each other (T-1, four eyes R12). The link of a naming has the naming's id. `naming_lock_open`
 * lets the transaction that issues it wait for one that takes the naming back, and the other way round; `naming_take_back_link`
 * voids the link in the very transaction that takes the naming back, and tells for certain whether it was used before.
 */
export class Migration20261130100000_naming_links extends Migration {
  override up(): void {
    const statements = [
      ...definerLookup('administrator_namings', ['id', 'named_tenant_id', 'link_id', 'taken_back_at']),
      // A row lock needs the right to update.
      'grant update (taken_back_at) on administrator_namings to castellan_definer',
      'create policy definer_lock on administrator_namings for update to castellan_definer using (true) with check (false)',
      'grant update (revoked_at, totp_secret_ciphertext) on account_links to castellan_definer',
      'create policy definer_take_back on account_links for update to castellan_definer using (true)',
      `create function naming_lock_open(p_naming_id uuid) returns boolean
        language plpgsql volatile security definer set search_path = ''
        as $$
        begin
          perform from public.administrator_namings n
          where n.id = p_naming_id and n.named_tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
            and n.taken_back_at is null
          for share;
          return found;
        end
        $$`,
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
      ...signatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
        `alter function ${signature} owner to castellan_definer`,
      ]),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const signature of signatures) this.addSql(`drop function ${signature}`);
    this.addSql('drop policy definer_take_back on account_links');
    this.addSql('revoke update (revoked_at, totp_secret_ciphertext) on account_links from castellan_definer');
    this.addSql('drop policy definer_lock on administrator_namings');
    this.addSql('drop policy definer_lookup on administrator_namings');
    this.addSql('revoke select (id, named_tenant_id, link_id, taken_back_at), update (taken_back_at) on administrator_namings from castellan_definer');
  }
}
