import { Migration } from '@mikro-orm/migrations';

/**
 * A cancelled sync says so in its row, in the transaction that records who has cancelled it: it writes nothing more and ends as
 * cancelled even if its workflow is not told (T-1).
 */
export class Migration20261130150000_sync_cancellations extends Migration {
  override up(): void {
    this.addSql('alter table admin_sync_jobs add column cancel_requested_at timestamptz(3)');
  }

  override down(): void {
    this.addSql('alter table admin_sync_jobs drop column cancel_requested_at');
  }
}
