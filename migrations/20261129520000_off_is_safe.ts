import { Migration } from '@mikro-orm/migrations';

/** A flag can say that switching it off is not safe; then there is no emergency-off of it (R8). */
export class Migration20261129520000_off_is_safe extends Migration {
  override up(): void {
    this.addSql('alter table admin_feature_flags add column off_is_safe boolean not null default true');
  }

  override down(): void {
    this.addSql('alter table admin_feature_flags drop column off_is_safe');
  }
}
