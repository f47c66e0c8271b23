import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';

/** What the names are found by. */
const tables = [
  'admin_approvals',
  'admin_approval_payloads',
  'admin_config_proposals',
  'admin_config_versions',
  'admin_deployments',
  'onboarding_link',
];

/**
 * Whoever wrote what a request refers to is an author of it, and stands among its editors, which `approval_decision_guard` reads.
 * Requests that wait, and those whose rollout is under way, get the names that they lack.
 */
export class Migration20261130120000_writers_are_authors extends Migration {
  override up(): void {
    const names = `update admin_approvals a set editors = a.editors || written.writers
        from (
          select r.id, array_agg(distinct w.writer) as writers
          from admin_approvals r
          join admin_approval_payloads p on p.tenant_id = r.tenant_id and p.digest = r.digest
          cross join lateral (
            select c.proposed_by from admin_config_proposals c
            where r.action = 'config.apply' and c.tenant_id = r.tenant_id and c.id::text = p.payload ->> 'proposal_id'
            union all
            select c.proposed_by from admin_config_versions v
            join admin_config_proposals c on c.tenant_id = v.tenant_id and c.id = v.proposal_id
            where r.action = 'config.rollback' and v.tenant_id = r.tenant_id
              and v.environment = p.payload ->> 'environment' and v.config_version::text = p.payload ->> 'version'
            union all
            select l.created_by from onboarding_link l
            where r.action = 'onboarding.grant-roles' and l.tenant_id = r.tenant_id and l.id::text = p.payload ->> 'link_id'
          ) w (writer)
          where w.writer <> r.requested_by and w.writer <> all (r.editors)
            and (r.closed_at is null or exists (
              select from admin_deployments d
              where d.tenant_id = r.tenant_id and d.approval_id = r.id and d.ended_at is null))
          group by r.id
        ) written
        where a.id = written.id`;
    for (const statement of overAllRows(tables, [names])) this.addSql(statement);
  }

  override down(): void {
    // The names are as true in the form before, which keeps the same people from deciding by them.
  }
}
