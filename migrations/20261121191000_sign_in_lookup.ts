import { Migration } from '@mikro-orm/migrations';

/**
 * `auth_find_users` says with the account whether it asks for a code, which saves a query of every sign-in; in PL/pgSQL,
 * because its statement then stays planned in the session.
 */
export class Migration20261121191000_sign_in_lookup extends Migration {
  override up(): void {
    const statements = [
      'grant select (sign_in_requires_totp) on users to castellan_definer',
      'drop function auth_find_users(text, text)',
      `create function auth_find_users(identifier text, tenant_domain text)
        returns table (tenant_id uuid, user_id uuid, password_hash text, asks_for_code boolean)
        language plpgsql stable security definer set search_path = '' rows 2
        as $$
        begin
          return query
            select u.tenant_id, u.id, u.password_hash, u.sign_in_requires_totp
            from public.users u join public.tenants t on t.id = u.tenant_id
            where (u.email = lower(identifier) or u.phone_number = identifier)
              and u.status = 'active' and t.status = 'active'
              and (tenant_domain is null or t.domain = lower(tenant_domain))
            limit 2;
        end
        $$`,
      ...ownedByDefiner,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      'drop function auth_find_users(text, text)',
      `create function auth_find_users(identifier text, tenant_domain text)
        returns table (tenant_id uuid, user_id uuid, password_hash text)
        language sql stable security definer set search_path = ''
        as $$
          select u.tenant_id, u.id, u.password_hash
          from public.users u join public.tenants t on t.id = u.tenant_id
          where (u.email = lower(identifier) or u.phone_number = identifier)
            and u.status = 'active' and t.status = 'active'
            and (tenant_domain is null or t.domain = lower(tenant_domain))
          limit 2
        $$`,
      ...ownedByDefiner,
      'revoke select (sign_in_requires_totp) on users from castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

const ownedByDefiner = [
  'revoke all on function auth_find_users(text, text) from public',
  'grant execute on function auth_find_users(text, text) to castellan_app',
  'alter function auth_find_users(text, text) owner to castellan_definer',
];
