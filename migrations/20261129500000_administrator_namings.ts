import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

const signatures = [
  'tenant_create_empty(uuid, text, text, text, text, text, text)',
  'account_link_states(uuid[])',
];

/**
 * The platform's staff name administrators of tenants (four eyes, R12). A naming is a row of the staff's own tenant; a worker makes
 * the account and the link in the tenant that it is for, and notes both here. `account_link_states` tells the staff what became
 * of the links, and `tenant_create_empty` makes a tenant whose first administrators are named instead of given a password.
 */
export class Migration20261129500000_administrator_namings extends Migration {
  override up(): void {
    const statements = [
      `create table administrator_namings (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id)
          constraint administrator_namings_of_staff check (tenant_id = '${defaultTenant}'),
        named_tenant_id uuid not null references tenants (id)
          constraint administrator_namings_elsewhere check (named_tenant_id <> '${defaultTenant}'),
        email text not null check (length(email) between 3 and 320 and email = lower(email)),
        full_name text not null check (length(full_name) between 1 and 200),
        purpose text not null check (purpose in ('first_administrator', 'administrator_recovery')),
        reason text not null check (length(reason) between 1 and 500),
        named_by uuid,
        approval_id uuid,
        user_id uuid,
        link_id uuid,
        sent_at timestamptz(3),
        taken_back_at timestamptz(3),
        taken_back_by uuid,
        created_at timestamptz(3) not null default now(),
        constraint administrator_namings_tenant_id_id_key unique (tenant_id, id),
        constraint administrator_namings_sent check (num_nonnulls(user_id, link_id, sent_at) in (0, 3)),
        constraint administrator_namings_named_by_fk foreign key (tenant_id, named_by) references users (tenant_id, id),
        constraint administrator_namings_taken_back_by_fk foreign key (tenant_id, taken_back_by) references users (tenant_id, id)
      )`,
      'create index administrator_namings_newest_idx on administrator_namings (named_tenant_id, created_at desc, id desc)',
      ...tenantTable('administrator_namings'),
      'revoke delete on administrator_namings from castellan_app',

      'grant select (user_id) on account_links to castellan_definer',
      'grant select (decisions_count_from) on users to castellan_definer',
      `create function account_link_states(p_link_ids uuid[])
        returns table (link_id uuid, expires_at timestamptz, used_at timestamptz, revoked_at timestamptz, counts_from timestamptz)
        language sql stable security definer set search_path = ''
        as $$
          select l.id, l.expires_at, l.used_at, l.revoked_at, case when l.used_at is not null then u.decisions_count_from end
          from public.account_links l join public.users u on u.id = l.user_id
          where current_setting('app.tenant_id', true) = '${defaultTenant}' and l.id = any (p_link_ids)
        $$`,
      `create function tenant_create_empty(p_id uuid, p_name text, p_domain text, p_country text, p_currency text, p_time_zone text,
          p_id_document_type text)
        returns void language plpgsql volatile security definer set search_path = ''
        as $$
        begin
          if current_setting('app.tenant_id', true) is distinct from '${defaultTenant}' then
            raise exception 'tenants are made from the default tenant only' using errcode = '42501';
          end if;
          insert into public.tenants (id, name, domain, country, currency, time_zone, id_document_type)
          values (p_id, p_name, lower(p_domain), p_country, p_currency, p_time_zone, p_id_document_type);
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
    this.addSql('revoke select (decisions_count_from) on users from castellan_definer');
    this.addSql('revoke select (user_id) on account_links from castellan_definer');
    this.addSql('drop table administrator_namings');
  }
}
