import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';
import { definerLookup } from './helpers/tenant-table.ts';

const table = 'user_agent_permissions';
const seen = ['id', 'tenant_id', 'expires_at', 'noticed_end', 'recorded_end'];
const signature = 'module_permission_ends_due(interval, int)';

/**
 * Ends of module permissions are told before and recorded after, each once (S4-25): `noticed_end` and `recorded_end` are the end
 * for which that was done, so another end is due anew. What is not done yet is what the two partial indexes hold, whatever
 * the size of the table. The others serve the list of a tenant, in which permissions that have expired stay.
 */
export class Migration20261201100000_module_permission_ends extends Migration {
  override up(): void {
    const statements = [
      `alter table ${table} add column noticed_end timestamptz(3), add column recorded_end timestamptz(3)`,
      // What has expired before is left at that: nobody is helped by hundreds of mails about it after a release.
      ...overAllRows([table], [
        `update ${table} set noticed_end = expires_at, recorded_end = expires_at where expires_at <= now()`,
      ]),
      `create index ${table}_notice_idx on ${table} (expires_at)
        where expires_at is not null and noticed_end is distinct from expires_at`,
      `create index ${table}_expiry_idx on ${table} (expires_at)
        where expires_at is not null and recorded_end is distinct from expires_at`,
      `create index ${table}_list_idx on ${table} (tenant_id, created_at desc, id desc)`,
      `create index ${table}_module_idx on ${table} (tenant_id, agent_name, created_at desc, id desc)`,
      `create index ${table}_kept_idx on ${table} (tenant_id, created_at desc, id desc)
        where expires_at is null or recorded_end is distinct from expires_at`,
      `create index ${table}_end_idx on ${table} (tenant_id, expires_at desc, id desc) where expires_at is not null`,
      ...definerLookup(table, seen),
      // Of a suspended tenant no notice is due, so that it can still be given when the tenant is resumed in time. A permission that
      // has expired is due for that alone: a notice would come after the end.
      `create function ${signature.replace('interval, int', 'p_notice interval, p_limit int')}
        returns table (tenant_id uuid, permission_id uuid, ends_at timestamptz, has_expired boolean)
        language sql stable security definer set search_path = ''
        as $$
          (select p.tenant_id, p.id, p.expires_at, true
            from public.${table} p
            where p.expires_at is not null and p.recorded_end is distinct from p.expires_at and p.expires_at <= now()
            order by p.expires_at limit p_limit)
          union all
          (select p.tenant_id, p.id, p.expires_at, false
            from public.${table} p
            join public.tenants t on t.id = p.tenant_id and t.status <> 'suspended'
            where p.expires_at is not null and p.noticed_end is distinct from p.expires_at
              and p.expires_at > now() and p.expires_at <= now() + p_notice
            order by p.expires_at limit p_limit)
          limit p_limit
        $$`,
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to castellan_app`,
      `alter function ${signature} owner to castellan_definer`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      `drop function ${signature}`,
      `drop policy definer_lookup on ${table}`,
      `revoke select (${seen.join(', ')}) on ${table} from castellan_definer`,
      ...['end', 'kept', 'module', 'list', 'expiry', 'notice'].map((name) => `drop index ${table}_${name}_idx`),
      `alter table ${table} drop column recorded_end, drop column noticed_end`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
