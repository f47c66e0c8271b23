import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';

const tables = ['account_acts', 'admin_role_assignments', 'audit_logs', 'users'];

/** Acts from before there was a table of them. */
const before = "(select executed_at from schema_migrations where name = '20261129100000_four_eyes')";

const isNew = (act: { target: string; actor: string; kind: string }) => `not exists (
  select from account_acts x where x.target_id = ${act.target} and x.actor_id = ${act.actor} and x.kind = ${act.kind})`;

const kind = "case l.event when 'user.create' then 'create' when 'user.activate' then 'activate' else 'identity' end";

/**
 * What was done in the month before the upgrade to four eyes counts as if it had been approved (case 10). The migration that made
 * the table had meant to write this down, but as its owner it saw no row.
 */
export class Migration20261130140000_acts_of_last_month extends Migration {
  override up(): void {
    const statements = overAllRows(tables, [
      `insert into account_acts (tenant_id, target_id, actor_id, kind, created_at, closes_at)
        select a.tenant_id, a.user_id, a.assigned_by, 'grant', a.assigned_at, a.assigned_at + interval '30 days'
        from admin_role_assignments a join users u on u.tenant_id = a.tenant_id and u.id = a.assigned_by
        where a.revoked_at is null and a.assigned_by <> a.user_id and a.assigned_at > now() - interval '30 days'
          and a.assigned_at < ${before} and ${isNew({ target: 'a.user_id', actor: 'a.assigned_by', kind: "'grant'" })}`,
      `insert into account_acts (tenant_id, target_id, actor_id, kind, created_at, closes_at)
        select l.tenant_id, t.id, l.user_id, ${kind}, l.recorded_at, l.recorded_at + interval '30 days'
        from audit_logs l
        join users t on t.tenant_id = l.tenant_id and t.id::text = l.resource_id
        join users u on u.tenant_id = l.tenant_id and u.id = l.user_id
        where l.event in ('user.create', 'user.activate', 'user.link-identity') and l.resource_type = 'user'
          and t.id <> l.user_id and l.recorded_at > now() - interval '30 days' and l.recorded_at < ${before}
          and ${isNew({ target: 't.id', actor: 'l.user_id', kind })}`,
    ]);
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    // What was done stays true in the form before.
  }
}
