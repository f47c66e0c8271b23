import { Migration } from '@mikro-orm/migrations';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * A command has an identity, a deadline and one outcome (T-1): the row of its key decides. Besides, focus sessions are named
 * by the command that began them, so that a restored sequence cannot meet the workflows of living ones (T-49), and a row that
 * waits for its workflow is written down with it.
 */
export class Migration20261121330000_commands extends Migration {
  override up(): void {
    const statements = [
      `alter table idempotency_keys
        add column command_id uuid not null default gen_random_uuid(),
        add column state text not null default 'open' check (state in ('open', 'done', 'void')),
        add column not_after timestamptz(3) not null default now()`,
      "update idempotency_keys set state = 'done' where status is not null",
      'create unique index idempotency_keys_command_idx on idempotency_keys (command_id)',

      'alter table admin_focus_sessions add column command_id uuid',
      'create unique index admin_focus_sessions_command_idx on admin_focus_sessions (command_id)',

      'grant select (command_id) on admin_focus_sessions to castellan_definer',
      'drop function focus_sessions_open(int, int)',
      ...focusSessionsOpen('f.command_id, ', 'command_id uuid, '),

      `create table workflow_starts (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        kind text not null check (length(kind) between 1 and 60),
        input jsonb not null,
        attempts int not null default 0 check (attempts >= 0),
        due_at timestamptz(3) not null,
        created_at timestamptz(3) not null default now()
      )`,
      ...tenantTable('workflow_starts'),
      'create index workflow_starts_tenant_idx on workflow_starts (tenant_id)',
      'create index workflow_starts_due_idx on workflow_starts (due_at)',
      ...definerLookup('workflow_starts', ['id', 'tenant_id', 'kind', 'input', 'attempts', 'due_at', 'created_at']),
      'grant update (attempts, due_at) on workflow_starts to castellan_definer',
      'create policy definer_claim on workflow_starts for update to castellan_definer using (true)',
      // Each claim puts the next one off, so that several workers share the rows and a row that fails waits longer.
      `create function workflow_starts_claim(p_limit int)
        returns table (id uuid, tenant_id uuid, kind text, input jsonb, attempts int, created_at timestamptz)
        language sql volatile security definer set search_path = ''
        as $$
          update public.workflow_starts w
          set attempts = w.attempts + 1,
              due_at = clock_timestamp() + make_interval(secs => least(5 * power(2, least(w.attempts, 6)), 300))
          where w.id in (
            select d.id from public.workflow_starts d
            where d.due_at <= clock_timestamp()
            order by d.due_at limit p_limit
            for update skip locked)
          returning w.id, w.tenant_id, w.kind, w.input, w.attempts, w.created_at
        $$`,
      'revoke all on function workflow_starts_claim(int) from public',
      'grant execute on function workflow_starts_claim(int) to castellan_app',
      'alter function workflow_starts_claim(int) owner to castellan_definer',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      'drop function workflow_starts_claim(int)',
      'drop table workflow_starts',
      'drop function focus_sessions_open(int, int)',
      ...focusSessionsOpen(),
      'revoke select (command_id) on admin_focus_sessions from castellan_definer',
      'drop index admin_focus_sessions_command_idx',
      'alter table admin_focus_sessions drop column command_id',
      'drop index idempotency_keys_command_idx',
      'alter table idempotency_keys drop column not_after, drop column state, drop column command_id',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

/** The sessions that have not ended, of all tenants; with the command that names the workflow. */
function focusSessionsOpen(column = '', type = ''): string[] {
  return [
    `create function focus_sessions_open(p_after int, p_limit int)
      returns table (tenant_id uuid, session_id int, ${type}user_id uuid)
      language sql stable security definer set search_path = ''
      as $$
        select f.tenant_id, f.id, ${column}f.user_id from public.admin_focus_sessions f
        where f.end_time is null and f.id > p_after and f.start_time < now() - interval '1 minute'
        order by f.id limit p_limit
      $$`,
    'revoke all on function focus_sessions_open(int, int) from public',
    'grant execute on function focus_sessions_open(int, int) to castellan_app',
    'alter function focus_sessions_open(int, int) owner to castellan_definer',
  ];
}
