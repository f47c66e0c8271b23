import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

const signatures = ['find_account_link(bytea)', 'tenant_find(text)', 'tenant_open(uuid, text, text)'];

/**
 * One-time links to an account (T-36): whoever holds one chooses the password and enrols a second factor. The table keeps the
 * SHA-256 of the token; `totp_secret_ciphertext` is the secret of the enrolment under way and goes with the link's end.
 *
 * `find_account_link` finds the tenant of a token that can still be used, so that a wrong, a used and an expired one are
 * the same to whoever asks. `tenant_find` and `tenant_open` serve the command that names the first administrator: a tenant
 * without anybody, found by its domain.
 */
export class Migration20261121320000_account_links extends Migration {
  override up(): void {
    const statements = [
      `create table account_links (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        purpose text not null check (purpose in ('first_administrator', 'administrator_recovery')),
        token_hash bytea not null check (length(token_hash) = 32),
        totp_secret_ciphertext text,
        expires_at timestamptz(3) not null,
        opened_at timestamptz(3),
        used_at timestamptz(3),
        revoked_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint account_links_tenant_id_id_key unique (tenant_id, id),
        constraint account_links_one_end check (num_nonnulls(used_at, revoked_at) <= 1),
        constraint account_links_no_secret_left
          check (totp_secret_ciphertext is null or num_nonnulls(used_at, revoked_at) = 0),
        constraint account_links_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id)
      )`,
      'create unique index account_links_token_key on account_links (token_hash)',
      `create unique index account_links_open_key on account_links (tenant_id, user_id)
        where used_at is null and revoked_at is null`,
      'create index account_links_created_idx on account_links (tenant_id, created_at desc)',
      ...tenantTable('account_links'),
      ...secretTable('account_links'),
      'revoke delete on account_links from castellan_app',
      ...definerLookup('account_links', ['id', 'tenant_id', 'token_hash', 'expires_at', 'used_at', 'revoked_at']),

      `create function find_account_link(p_token_hash bytea) returns table (tenant_id uuid, link_id uuid)
        language sql stable security definer set search_path = ''
        as $$
          select l.tenant_id, l.id
          from public.account_links l join public.tenants t on t.id = l.tenant_id
          where l.token_hash = p_token_hash and l.used_at is null and l.revoked_at is null
            and l.expires_at > now() and t.status = 'active'
        $$`,

      `create function tenant_find(p_domain text) returns table (id uuid, name text, domain text, status text)
        language sql stable security definer set search_path = ''
        as $$
          select t.id, t.name, t.domain, t.status from public.tenants t
          where current_setting('app.tenant_id', true) = '${defaultTenant}' and t.domain = lower(p_domain)
        $$`,

      // Of two at once the second makes nothing and finds what the first has made.
      `create function tenant_open(p_id uuid, p_name text, p_domain text) returns boolean
        language plpgsql volatile security definer set search_path = ''
        as $$
        begin
          if current_setting('app.tenant_id', true) is distinct from '${defaultTenant}' then
            raise exception 'tenants are made from the default tenant only' using errcode = '42501';
          end if;
          insert into public.tenants (id, name, domain) values (p_id, p_name, lower(p_domain))
          on conflict do nothing;
          return found;
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
    this.addSql('drop table account_links');
  }
}
