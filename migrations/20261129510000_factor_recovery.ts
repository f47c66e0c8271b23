import { Migration } from '@mikro-orm/migrations';

/**
 * A lost second factor is asked for by its owner with the password (R4). What the owner has proven is a challenge that was met
 * by the password, outside of any session; the database takes none for anything but this one action.
 */
export class Migration20261129510000_factor_recovery extends Migration {
  override up(): void {
    const statements = [
      'alter table mfa_challenges alter column session_id drop not null',
      'alter table mfa_challenges drop constraint mfa_challenges_method_check',
      `alter table mfa_challenges
        add constraint mfa_challenges_method_check check (method in ('totp', 'email', 'password')),
        add constraint mfa_challenges_session check ((session_id is null) = (method = 'password')),
        add constraint mfa_challenges_password check (method <> 'password' or action = 'user.reset-factor')`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      "delete from mfa_challenges where method = 'password'",
      `alter table mfa_challenges
        drop constraint mfa_challenges_password,
        drop constraint mfa_challenges_session,
        drop constraint mfa_challenges_method_check`,
      "alter table mfa_challenges add constraint mfa_challenges_method_check check (method in ('totp', 'email'))",
      'alter table mfa_challenges alter column session_id set not null',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
