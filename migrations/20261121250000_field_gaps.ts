import { Migration } from '@mikro-orm/migrations';
import { auditAppendOneByOne, auditAppendTogether } from './helpers/audit-append-20261121.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * What assignments, onboarding links and focus sessions lacked.
 *
 * - Sweeps: work whose workflow was lost or never started, and contacts of people who were closed by an approval.
 * - Life of onboarding links by tenant (S3-51).
 * - Bulk dealing: audit rows in one statement; a batch that knows how far it is, so that settling an item touches no
 *   index and stays inside its page (HOT).
 */
export class Migration20261121250000_field_gaps extends Migration {
  override up(): void {
    const statements = [
      ...replaceAuditAppend(auditAppendTogether),

      'alter table assignment_batches add column settled_position int not null default 0 check (settled_position >= 0)',
      `update assignment_batches b set settled_position = i.settled
       from (select batch_id, max(position) as settled from assignment_batch_items where outcome is not null group by 1) i
       where i.batch_id = b.id`,
      'drop index assignment_batch_items_open_idx',
      'alter table assignment_batch_items set (fillfactor = 50)',
      `create index assignment_batches_running_idx on assignment_batches (created_at) where status = 'running'`,

      `create table onboarding_settings (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        default_life_seconds int not null,
        max_step_seconds int not null,
        max_life_seconds int not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint onboarding_settings_tenant_id_id_key unique (tenant_id, id),
        constraint onboarding_settings_tenant_key unique (tenant_id),
        constraint onboarding_settings_order check (default_life_seconds between 60 and max_step_seconds
          and max_step_seconds <= max_life_seconds and max_life_seconds <= 31536000)
      )`,
      ...tenantTable('onboarding_settings'),
      'revoke delete on onboarding_settings from castellan_app',

      ...Object.entries(lookups).flatMap(([table, columns]) => definerLookup(table, columns)),

      // Batches without an end, campaigns in whose queue contacts wait, and people who are closed and still have contacts.
      // Nothing of suspended tenants, and nothing so young that whoever made it may still be at it.
      `create function assignment_work_due(p_limit int) returns table (kind text, tenant_id uuid, id uuid)
        language sql stable security definer set search_path = ''
        as $$
          select due.kind, due.tenant_id, due.id
          from (
            (select 'batch' as kind, b.tenant_id, b.id
             from public.assignment_batches b
             where b.status = 'running' and b.created_at < now() - interval '1 minute'
             order by b.created_at limit p_limit)
            union all
            (select distinct 'queue', q.tenant_id, q.campaign_id
             from public.assignment_queue q
             where q.left_at is null and q.campaign_id is not null and q.created_at < now() - interval '1 minute'
             limit p_limit)
            union all
            (select 'leaver', u.tenant_id, u.id
             from public.users u
             where u.status <> 'active'
               and exists (
                 select from public.user_contact_assignment a
                 where a.tenant_id = u.tenant_id and a.user_id = u.id and a.released_at is null)
               and not exists (
                 select from public.assignment_batches b
                 where b.tenant_id = u.tenant_id and b.from_user_id = u.id and b.status = 'running')
             limit p_limit)
          ) due
          join public.tenants t on t.id = due.tenant_id and t.status = 'active'
        $$`,
      `create function focus_sessions_open(p_after int, p_limit int)
        returns table (tenant_id uuid, session_id int, user_id uuid)
        language sql stable security definer set search_path = ''
        as $$
          select f.tenant_id, f.id, f.user_id from public.admin_focus_sessions f
          where f.end_time is null and f.id > p_after and f.start_time < now() - interval '1 minute'
          order by f.id limit p_limit
        $$`,
      ...signatures.flatMap(handToDefiner),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      ...signatures.map((signature) => `drop function ${signature}`),
      ...Object.entries(lookups).flatMap(([table, columns]) => [
        `drop policy definer_lookup on ${table}`,
        `revoke select (${columns.join(', ')}) on ${table} from castellan_definer`,
      ]),
      'drop table onboarding_settings',
      'drop index assignment_batches_running_idx',
      'alter table assignment_batch_items reset (fillfactor)',
      `create index assignment_batch_items_open_idx on assignment_batch_items (tenant_id, batch_id, position)
        where outcome is null`,
      'alter table assignment_batches drop column settled_position',
      ...replaceAuditAppend(auditAppendOneByOne),
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

const signatures = ['assignment_work_due(int)', 'focus_sessions_open(int, int)'];
const auditSignature = 'audit_append(uuid, text[], text[], text)';

/** Only its owner may replace a function in place, and that is a role nobody signs in as. */
function replaceAuditAppend(definition: string): string[] {
  return [`drop function ${auditSignature}`, definition, ...handToDefiner(auditSignature)];
}

function handToDefiner(signature: string): string[] {
  return [
    `revoke all on function ${signature} from public`,
    `grant execute on function ${signature} to castellan_app`,
    `alter function ${signature} owner to castellan_definer`,
  ];
}

/** What the functions may look into across tenants. */
const lookups = {
  assignment_batches: ['id', 'tenant_id', 'from_user_id', 'status', 'created_at'],
  assignment_queue: ['tenant_id', 'campaign_id', 'left_at', 'created_at'],
  admin_focus_sessions: ['id', 'tenant_id', 'user_id', 'start_time', 'end_time'],
};
