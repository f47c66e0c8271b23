import { Migration } from '@mikro-orm/migrations';
import { defaultThresholdColumns, defaultThresholdsOf } from './helpers/default-alerts-20261121.ts';

const defaultTenant = '00000000-0000-0000-0000-000000000000';

/**
 * A verification says what it was anchored in (T-18): a chain that is only consistent with itself may have been rewritten
 * as a whole. Damage has an alert of its own, which every tenant begins with.
 */
export class Migration20261121341000_audit_anchors extends Migration {
  override up(): void {
    const statements = [
      // Null in the rows of before, which did not ask.
      `alter table audit_verifications
        add column state text constraint audit_verifications_state_check check (state in ('anchored', 'unanchored', 'damaged')),
        add column anchored_size bigint constraint audit_verifications_anchored_size_check check (anchored_size > 0)`,
      'grant insert (state, anchored_size) on audit_verifications to castellan_app',

      'grant select (metric) on admin_alert_thresholds to castellan_definer',
      // The definer owns the function, and may look at all tenants.
      'set local role castellan_definer',
      giveDefaultAlerts(`;
          insert into public.admin_alert_thresholds (${defaultThresholdColumns}) ${damageThreshold('new.id')}`),
      `insert into admin_alert_thresholds (${defaultThresholdColumns})
        select d.* from tenants t, lateral (${damageThreshold('t.id')}) d
        where not exists (select from admin_alert_settings s where s.tenant_id = t.id)
          and not exists (select from admin_alert_thresholds h where h.tenant_id = t.id and h.metric = 'audit.intact')`,
      'reset role',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  /** Thresholds that tenants have been given stay, as those of before. */
  override down(): void {
    const statements = [
      'set local role castellan_definer',
      giveDefaultAlerts(''),
      'reset role',
      'revoke select (metric) on admin_alert_thresholds from castellan_definer',
      'alter table audit_verifications drop column state, drop column anchored_size',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

/** The columns are those of {@link defaultThresholdColumns}. */
function damageThreshold(tenantId: string): string {
  return `select ${tenantId}, 'Audit damaged', 'audit.intact', 'lt', 1, 1, 'avg', 0, 0, 'critical',
            'The audit log is not what was written and signed. Runbook: audit-mismatch.', true`;
}

function giveDefaultAlerts(more: string): string {
  return `create or replace function give_default_alerts() returns trigger
        language plpgsql security definer set search_path = ''
        as $$
        begin
          insert into public.admin_alert_thresholds (${defaultThresholdColumns})
          ${defaultThresholdsOf('new.id', defaultTenant)}${more};
          return null;
        end
        $$`;
}
