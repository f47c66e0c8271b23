import { Migration } from '@mikro-orm/migrations';

/** What is removed, by which rule. None of it is business or audit: all of it has run out. */
const purges = [
  { table: 'idempotency_keys', column: 'expires_at', rule: 'expires_at < now()' },
  { table: 'mfa_challenges', column: 'expires_at', rule: "expires_at < now() - interval '30 days'" },
  { table: 'refresh_tokens', column: 'expires_at', rule: 'expires_at < now()' },
  { table: 'oidc_sign_ins', column: 'expires_at', rule: 'expires_at < now()', tenantless: true },
  { table: 'rate_limit_counters', column: 'expire', rule: 'expire < extract(epoch from now()) * 1000', tenantless: true },
  { table: 'development_mails', column: 'created_at', rule: "created_at < now() - interval '7 days'", tenantless: true },
];

/**
 * `purge_expired_rows` removes what has run out in all tenants, the oldest first and about `batch` rows of each kind in
 * one call, so that no call holds locks for long. It sees nothing of a row but when it runs out. It answers with what it removed, by table.
 */
export class Migration20261121180000_housekeeping extends Migration {
  override up(): void {
    for (const { table, column, tenantless } of purges) {
      this.addSql(`grant select (${column}), delete on ${table} to castellan_definer`);
      if (tenantless === true) continue;
      this.addSql(`create policy definer_purge_sees on ${table} for select to castellan_definer using (true)`);
      this.addSql(`create policy definer_purge on ${table} for delete to castellan_definer using (true)`);
    }
    const deletions = purges
      .map(
        ({ table, column, rule }) => `
          with gone as (
            delete from public.${table}
            where ${column} <= (
              select max(${column}) from (
                select ${column} from public.${table} where ${rule} order by ${column} limit batch
              ) oldest
            )
            returning 1
          ) select count(*) into removed from gone;
          counts := counts || jsonb_build_object('${table}', removed);`,
      )
      .join('');
    this.addSql(`
      create function purge_expired_rows(batch int) returns jsonb
      language plpgsql volatile security definer set search_path = ''
      as $$
        declare
          removed bigint;
          counts jsonb := '{}';
        begin ${deletions}
          return counts;
        end
      $$`);
    this.addSql('revoke all on function purge_expired_rows(int) from public');
    this.addSql('grant execute on function purge_expired_rows(int) to castellan_app');
    this.addSql('alter function purge_expired_rows(int) owner to castellan_definer');
  }

  override down(): void {
    this.addSql('drop function purge_expired_rows(int)');
    for (const { table, column, tenantless } of purges) {
      if (tenantless !== true) {
        this.addSql(`drop policy definer_purge on ${table}`);
        this.addSql(`drop policy definer_purge_sees on ${table}`);
      }
      this.addSql(`revoke select (${column}), delete on ${table} from castellan_definer`);
    }
  }
}
