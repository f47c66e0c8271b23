import { Migration } from '@mikro-orm/migrations';
import { defaultThresholdColumns, defaultThresholdsOf } from './helpers/default-alerts-20261121.ts';
import { definerLookup } from './helpers/tenant-table.ts';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

/**
 * Every tenant begins with thresholds (S2-34, S2-75, capability 36): a system that alerts nobody until somebody thinks of
 * it is watched by nobody. A trigger gives them to new tenants, so that no way of making one can forget it; they are rows
 * like any others from then on. Tenants that have set thresholds of their own keep exactly those.
 */
export class Migration20261121290000_default_alerts extends Migration {
  override up(): void {
    const statements = [
      `grant insert (${defaultThresholdColumns}) on admin_alert_thresholds to castellan_definer`,
      'create policy definer_insert on admin_alert_thresholds for insert to castellan_definer with check (true)',
      `create function give_default_alerts() returns trigger
        language plpgsql security definer set search_path = ''
        as $$
        begin
          insert into public.admin_alert_thresholds (${defaultThresholdColumns})
          ${defaultThresholdsOf('new.id', defaultTenant)};
          return null;
        end
        $$`,
      'revoke all on function give_default_alerts() from public',
      `create trigger tenants_give_default_alerts after insert on tenants
        for each row execute function give_default_alerts()`,
      'alter function give_default_alerts() owner to castellan_definer',

      // The owner of the tables is bound by row-level security; the definer may look at all tenants.
      ...definerLookup('admin_alert_settings', ['tenant_id']),
      'set local role castellan_definer',
      `insert into admin_alert_thresholds (${defaultThresholdColumns})
        select d.* from tenants t, lateral (${defaultThresholdsOf('t.id', defaultTenant)}) d
        where not exists (select from admin_alert_settings s where s.tenant_id = t.id)
          and not exists (select from admin_alert_thresholds h where h.tenant_id = t.id)`,
      'reset role',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  /** Thresholds that tenants have been given stay: nobody can tell them from those that people have set. */
  override down(): void {
    const statements = [
      'drop policy definer_lookup on admin_alert_settings',
      'revoke select (tenant_id) on admin_alert_settings from castellan_definer',
      'drop trigger tenants_give_default_alerts on tenants',
      'drop function give_default_alerts()',
      'drop policy definer_insert on admin_alert_thresholds',
      `revoke insert (${defaultThresholdColumns}) on admin_alert_thresholds from castellan_definer`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
