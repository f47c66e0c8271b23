import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { tenantTable } from './helpers/tenant-table.ts';

/** Every step has a name and a whole quorum of at least one; checked where it is saved and where it is frozen. */
const soundSteps = (column: string): string => `
  jsonb_typeof(${column}) = 'array' and jsonb_array_length(${column}) <= 8
  and jsonb_array_length(${column}) = jsonb_array_length(jsonb_path_query_array(${column},
    '$[*] ? (@.quorum.type() == "number" && @.quorum >= 1 && @.quorum == @.quorum.floor() && @.name.type() == "string")'))`;

const windows = `
  review_window_seconds int not null check (review_window_seconds between 60 and 2592000),
  execution_window_seconds int not null check (execution_window_seconds between 60 and 2592000),
  reminder_interval_seconds int not null check (reminder_interval_seconds = 0 or reminder_interval_seconds >= 60),
  bypass_review_seconds int not null check (bypass_review_seconds between 60 and 2592000)`;

/**
 * Approvals (S2-53, S2-59, S2-68, S2-70): the gate table, requests with their frozen policy, their payloads by digest,
 * decisions, the history of every transition, and the reviews that emergencies owe.
 */
export class Migration20261121110000_approvals extends Migration {
  override up(): void {
    const statements = [
      `create table admin_approval_policies (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        action text not null check (length(action) between 1 and 100),
        environment text not null default 'any' check (environment in ('any', 'development', 'staging', 'production')),
        gate text not null check (gate in ('none', 'mfa', 'approval')),
        steps jsonb not null default '[]' check (${soundSteps('steps')}),
        ${windows},
        bypassers uuid[] not null default '{}',
        updated_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_approval_policies_tenant_id_id_key unique (tenant_id, id),
        constraint admin_approval_policies_place_key unique (tenant_id, action, environment),
        constraint admin_approval_policies_steps_needed check (gate <> 'approval' or jsonb_array_length(steps) >= 1)
      )`,
      ...tenantTable('admin_approval_policies'),

      `create table admin_approval_payloads (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        digest text not null check (digest ~ '^[0-9a-f]{64}$'),
        action text not null check (length(action) between 1 and 100),
        environment text check (environment in ('development', 'staging', 'production')),
        payload jsonb,
        payload_ciphertext text,
        created_at timestamptz(3) not null default now(),
        constraint admin_approval_payloads_tenant_id_id_key unique (tenant_id, id),
        constraint admin_approval_payloads_digest_key unique (tenant_id, digest),
        constraint admin_approval_payloads_one_form check (num_nonnulls(payload, payload_ciphertext) = 1)
      )`,
      ...tenantTable('admin_approval_payloads'),
      ...secretTable('admin_approval_payloads'),
      'revoke update, delete on admin_approval_payloads from castellan_app',

      `create table admin_approvals (
        id uuid primary key,
        tenant_id uuid not null,
        action text not null,
        environment text check (environment in ('development', 'staging', 'production')),
        status text not null default 'pending' check
          (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled', 'executed', 'failed')),
        revision int not null default 1 check (revision >= 1),
        digest text not null,
        requested_by uuid not null,
        editors uuid[] not null default '{}',
        reason text check (length(reason) <= 1000),
        policy jsonb not null,
        bypassed_by uuid,
        bypass_reason text check (length(bypass_reason) <= 1000),
        review_due_at timestamptz(3) not null,
        execution_due_at timestamptz(3),
        executed_at timestamptz(3),
        closed_at timestamptz(3),
        result jsonb,
        failure_code text,
        failure_detail text,
        workflow_id text not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint admin_approvals_tenant_id_id_key unique (tenant_id, id),
        constraint admin_approvals_payload_fk foreign key (tenant_id, digest)
          references admin_approval_payloads (tenant_id, digest),
        constraint admin_approvals_requester_fk foreign key (tenant_id, requested_by) references users (tenant_id, id),
        constraint admin_approvals_policy_sound check (${soundSteps("(policy -> 'steps')")}
          and jsonb_array_length(policy -> 'steps') >= 1),
        constraint admin_approvals_executed check ((status = 'executed') = (executed_at is not null)),
        constraint admin_approvals_closed check ((status in ('pending', 'approved')) = (closed_at is null)),
        constraint admin_approvals_failed check ((status = 'failed') = (failure_code is not null)),
        constraint admin_approvals_bypass check ((bypassed_by is null) = (bypass_reason is null)),
        constraint admin_approvals_execution_window check (status <> 'approved' or execution_due_at is not null)
      )`,
      'create index admin_approvals_created_idx on admin_approvals (tenant_id, created_at desc, id desc)',
      'create index admin_approvals_status_idx on admin_approvals (tenant_id, status, created_at desc, id desc)',
      'create index admin_approvals_requester_idx on admin_approvals (tenant_id, requested_by, created_at desc, id desc)',
      'create index admin_approvals_payload_idx on admin_approvals (tenant_id, digest)',
      ...tenantTable('admin_approvals'),
      'revoke delete on admin_approvals from castellan_app',

      `create table admin_approval_decisions (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        approval_id uuid not null,
        revision int not null,
        digest text not null,
        step int check (step >= 0),
        approver_id uuid not null,
        approver_roles text[] not null,
        verdict text not null check (verdict in ('approved', 'rejected', 'bypassed')),
        reason text check (length(reason) <= 1000),
        mfa_proof_id uuid not null,
        voided_at timestamptz(3),
        void_reason text check (void_reason in ('edited', 'right_lost')),
        created_at timestamptz(3) not null default now(),
        constraint admin_approval_decisions_tenant_id_id_key unique (tenant_id, id),
        constraint admin_approval_decisions_proof_key unique (tenant_id, mfa_proof_id),
        constraint admin_approval_decisions_step check ((verdict = 'approved') = (step is not null)),
        constraint admin_approval_decisions_void check ((voided_at is null) = (void_reason is null)),
        constraint admin_approval_decisions_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id),
        constraint admin_approval_decisions_approver_fk foreign key (tenant_id, approver_id)
          references users (tenant_id, id)
      )`,
      `create unique index admin_approval_decisions_once_key on admin_approval_decisions
        (tenant_id, approval_id, revision, approver_id) where voided_at is null and verdict <> 'bypassed'`,
      'create index admin_approval_decisions_approval_idx on admin_approval_decisions (tenant_id, approval_id, created_at)',
      'create index admin_approval_decisions_approver_idx on admin_approval_decisions (tenant_id, approver_id)',
      ...tenantTable('admin_approval_decisions'),
      'revoke update, delete on admin_approval_decisions from castellan_app',
      'grant update (voided_at, void_reason) on admin_approval_decisions to castellan_app',

      // The rules of src/domain/approval.ts judge first; this is the lock behind them that no code path can go around.
      `create function approval_decision_guard() returns trigger language plpgsql set search_path = '' as $$
        declare request public.admin_approvals%rowtype;
        begin
          select * into request from public.admin_approvals where id = new.approval_id;
          if request.revision <> new.revision or request.digest <> new.digest then
            raise exception 'a decision is about what the request says now' using errcode = 'check_violation';
          end if;
          if new.verdict <> 'bypassed' and (new.approver_id = request.requested_by or new.approver_id = any (request.editors)) then
            raise exception 'nobody decides on a change of their own' using errcode = 'check_violation';
          end if;
          return new;
        end $$`,
      `create trigger approval_decision_guard before insert on admin_approval_decisions
        for each row execute function approval_decision_guard()`,

      `create table admin_approval_history (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        approval_id uuid not null,
        event text not null check (event in ('opened', 'approve', 'reject', 'break-glass', 'edit', 'cancel', 'abort',
          'expire', 'return-to-review', 'execute', 'fail')),
        from_status text,
        to_status text not null,
        revision int not null,
        digest text not null,
        actor_id uuid,
        reason text check (length(reason) <= 1000),
        details jsonb not null default '{}',
        position int not null,
        created_at timestamptz(3) not null default now(),
        constraint admin_approval_history_tenant_id_id_key unique (tenant_id, id),
        constraint admin_approval_history_position_key unique (tenant_id, approval_id, position),
        constraint admin_approval_history_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id)
      )`,
      'create index admin_approval_history_created_idx on admin_approval_history (tenant_id, created_at desc, id desc)',
      'create index admin_approval_history_actor_idx on admin_approval_history (tenant_id, actor_id, created_at desc, id desc)',
      ...tenantTable('admin_approval_history'),
      'revoke update, delete on admin_approval_history from castellan_app',

      `create table admin_break_glass_reviews (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        kind text not null check (kind in ('bypass', 'emergency_off')),
        approval_id uuid,
        subject text not null check (length(subject) between 1 and 300),
        user_id uuid not null,
        reason text not null check (length(reason) between 1 and 1000),
        due_at timestamptz(3) not null,
        verdict text check (verdict in ('justified', 'not_justified')),
        comment text check (length(comment) <= 1000),
        reviewed_by uuid,
        reviewed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint admin_break_glass_reviews_tenant_id_id_key unique (tenant_id, id),
        constraint admin_break_glass_reviews_kind check ((kind = 'bypass') = (approval_id is not null)),
        constraint admin_break_glass_reviews_other_person check (reviewed_by <> user_id),
        constraint admin_break_glass_reviews_done check (num_nonnulls(verdict, reviewed_by, reviewed_at) in (0, 3)),
        constraint admin_break_glass_reviews_approval_fk foreign key (tenant_id, approval_id)
          references admin_approvals (tenant_id, id),
        constraint admin_break_glass_reviews_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id)
      )`,
      'create index admin_break_glass_reviews_created_idx on admin_break_glass_reviews (tenant_id, created_at desc, id desc)',
      `create index admin_break_glass_reviews_open_idx on admin_break_glass_reviews (tenant_id, user_id, due_at)
        where reviewed_at is null`,
      'create index admin_break_glass_reviews_approval_idx on admin_break_glass_reviews (tenant_id, approval_id)',
      ...tenantTable('admin_break_glass_reviews'),
      'revoke delete on admin_break_glass_reviews from castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const tables = [
      'admin_break_glass_reviews',
      'admin_approval_history',
      'admin_approval_decisions',
      'admin_approvals',
      'admin_approval_payloads',
      'admin_approval_policies',
    ];
    for (const table of tables) this.addSql(`drop table ${table}`);
    this.addSql('drop function approval_decision_guard()');
  }
}
