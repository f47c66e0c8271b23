import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';

const referring = ['admin_activities', 'admin_meetings'];

/**
 * Activities and meetings of before could refer to a prospect of somebody else, and kept one that was removed (S0-11). Those
 * references are taken out, as the removal of a prospect does now.
 */
export class Migration20261130160000_own_references extends Migration {
  override up(): void {
    const clear = referring.map(
      (table) =>
        `update ${table} r set prospect_id = null from admin_prospects p
         where p.tenant_id = r.tenant_id and p.id = r.prospect_id and (p.deleted_at is not null or p.user_id is distinct from r.user_id)`,
    );
    for (const statement of overAllRows([...referring, 'admin_prospects'], clear)) this.addSql(statement);
  }

  /** What was cleared is not known any more. */
  override down(): void {
    this.addSql('select 1');
  }
}
