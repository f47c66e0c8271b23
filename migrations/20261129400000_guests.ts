import { Migration } from '@mikro-orm/migrations';

/**
 * What tenants bring along may end no process twice (T-21, T-22).
 *
 * An integration whose source ended the process that read it gets a strike; with the second it is quarantined. The claim says
 * which process reads it, so that the next one sees when that process has not come to an end. A factor proof counts the
 * requests that were refused with it.
 */
export class Migration20261129400000_guests extends Migration {
  override up(): void {
    const statements = [
      `alter table admin_integrations
        add column strikes int not null default 0 constraint admin_integrations_strikes_check check (strikes between 0 and 2),
        add column last_strike_at timestamptz(3),
        add column last_strike_reason text constraint admin_integrations_strike_reason_check
          check (last_strike_reason in ('deadline', 'memory', 'cpu', 'crashed')),
        add column quarantined_at timestamptz(3),
        add column running_by uuid,
        add column running_since timestamptz(3),
        add constraint admin_integrations_strike check ((last_strike_at is null) = (last_strike_reason is null)),
        add constraint admin_integrations_claim check ((running_by is null) = (running_since is null))`,
      `alter table mfa_challenges
        add column refused_uses int not null default 0
          constraint mfa_challenges_refused_uses_check check (refused_uses between 0 and 3)`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      'alter table mfa_challenges drop column refused_uses',
      `alter table admin_integrations
        drop column strikes, drop column last_strike_at, drop column last_strike_reason, drop column quarantined_at,
        drop column running_by, drop column running_since`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
