import { Migration } from '@mikro-orm/migrations';

/**
 * Records that a complete sync does not find any more (S2-19, capability 26): marked by the first, removed by the second.
 * `seen_job_id` has no foreign key: it is written for every record of every sync.
 */
export class Migration20261121300000_missing_records extends Migration {
  override up(): void {
    this.addSql('alter table integration_records add column seen_job_id uuid, add column missing_since timestamptz(3)');
    this.addSql(`alter table admin_sync_jobs
      add column missing_count int not null default 0 check (missing_count >= 0),
      add column removed_count int not null default 0 check (removed_count >= 0)`);
  }

  override down(): void {
    this.addSql('alter table admin_sync_jobs drop column removed_count, drop column missing_count');
    this.addSql('alter table integration_records drop column missing_since, drop column seen_job_id');
  }
}
