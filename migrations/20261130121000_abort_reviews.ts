import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';

const constraint = 'admin_break_glass_reviews_kind';

/** The review of an aborted rollout names the request that was approved, because its authors do not close the review either. */
export class Migration20261130121000_abort_reviews extends Migration {
  override up(): void {
    this.addSql(`alter table admin_break_glass_reviews drop constraint ${constraint}`);
    this.addSql(
      `alter table admin_break_glass_reviews add constraint ${constraint} check (
        case kind when 'bypass' then approval_id is not null when 'emergency_off' then approval_id is null else true end)`,
    );
  }

  override down(): void {
    // The form before has no place for it.
    const clear = "update admin_break_glass_reviews set approval_id = null where kind = 'rollout_abort'";
    for (const statement of overAllRows(['admin_break_glass_reviews'], [clear])) this.addSql(statement);
    this.addSql(`alter table admin_break_glass_reviews drop constraint ${constraint}`);
    this.addSql(
      `alter table admin_break_glass_reviews add constraint ${constraint} check ((kind = 'bypass') = (approval_id is not null))`,
    );
  }
}
