import { Migration } from '@mikro-orm/migrations';

/**
 * `get_user_work_counts` answers for a page of people at once what `get_user_campaign_count` and
 * `get_user_contact_count` answer for one (S3-5): a call for each of twenty rows cost more than the rest of the list.
 * In PL/pgSQL, because its statements stay planned in the session; one in SQL was planned anew by each list.
 */
export class Migration20261121190000_user_work_counts extends Migration {
  override up(): void {
    const statements = [
      `create function get_user_work_counts(p_user_ids uuid[])
        returns table (user_id uuid, campaign_count int, contact_count int)
        language plpgsql stable security definer set search_path = '' rows 20
        as $$
        declare
          tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
        begin
          return query
            select w.user_id, sum(w.campaigns)::int, sum(w.contacts)::int
            from (
              select a.user_id, count(*) as campaigns, 0::bigint as contacts from public.user_campaign_assignment a
              where a.tenant_id = tenant and a.user_id = any (p_user_ids) and a.is_active
              group by a.user_id
              union all
              select a.user_id, 0::bigint, count(*) from public.user_contact_assignment a
              where a.tenant_id = tenant and a.user_id = any (p_user_ids) and a.released_at is null
              group by a.user_id
            ) w
            group by w.user_id;
        end
        $$`,
      'revoke all on function get_user_work_counts(uuid[]) from public',
      'grant execute on function get_user_work_counts(uuid[]) to castellan_app',
      'alter function get_user_work_counts(uuid[]) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop function get_user_work_counts(uuid[])');
  }
}
