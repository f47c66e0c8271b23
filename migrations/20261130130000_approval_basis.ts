import { Migration } from '@mikro-orm/migrations';

/**
 * A request keeps digests of the values that its change replaces, by which it is stale or not, and of its change without the
 * reasons, by which two requests ask for the same (R9, R10). Requests that are open have neither and are judged by the version.
 */
export class Migration20261130130000_approval_basis extends Migration {
  override up(): void {
    const statements = [
      'alter table admin_approvals add column basis_digest text, add column change_digest text',
      'create index admin_approvals_change_idx on admin_approvals (tenant_id, coalesce(change_digest, digest))',
      // Rejections are found by the request from now on.
      'drop index admin_approval_decisions_digest_idx',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      "create index admin_approval_decisions_digest_idx on admin_approval_decisions (tenant_id, digest) where verdict = 'rejected'",
      'drop index admin_approvals_change_idx',
      'alter table admin_approvals drop column change_digest, drop column basis_digest',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
