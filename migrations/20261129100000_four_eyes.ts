import { Migration } from '@mikro-orm/migrations';
import { tenantTable } from './helpers/tenant-table.ts';

const erasure = 'erase_approval_texts(uuid)';

const events = "'opened', 'approve', 'reject', 'break-glass', 'edit', 'cancel', 'abort', 'expire', 'return-to-review', 'execute', 'fail'";

/**
 * Persons are counted, not accounts (T-7, T-8, T-9): what somebody has done to another person's account is kept, and who
 * stands behind an account does not count apart from it. Besides: what approvers read of a request is frozen with it (T-15),
 * and a vote can be withdrawn (T-12).
 */
export class Migration20261129100000_four_eyes extends Migration {
  override up(): void {
    const statements = [
      `create table account_acts (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        target_id uuid not null,
        actor_id uuid not null,
        kind text not null check (kind in ('create', 'grant', 'address', 'identity', 'activate')),
        detail text check (length(detail) between 1 and 300),
        approval_id uuid,
        closes_at timestamptz(3),
        closed_at timestamptz(3),
        closed_by uuid,
        close_reason text check (close_reason in ('confirmed', 'named')),
        created_at timestamptz(3) not null default now(),
        constraint account_acts_tenant_id_id_key unique (tenant_id, id),
        constraint account_acts_other_person check (target_id <> actor_id),
        constraint account_acts_closed check ((closed_at is null) = (close_reason is null)),
        constraint account_acts_target_fk foreign key (tenant_id, target_id) references users (tenant_id, id),
        constraint account_acts_actor_fk foreign key (tenant_id, actor_id) references users (tenant_id, id)
      )`,
      'create index account_acts_target_idx on account_acts (tenant_id, target_id, created_at desc, id desc)',
      `create index account_acts_open_idx on account_acts (tenant_id, target_id) include (actor_id, closes_at)
        where closed_at is null`,
      'create index account_acts_actor_idx on account_acts (tenant_id, actor_id)',
      ...tenantTable('account_acts'),
      'revoke update, delete on account_acts from castellan_app',
      'grant update (closed_at, closed_by, close_reason) on account_acts to castellan_app',

      // Somebody who was named from outside counts later, so that the others can object (R12).
      'alter table users add column decisions_count_from timestamptz(3)',
      // An address that somebody else has entered counts once its owner has confirmed it by a mailed code (R4).
      `alter table users
        add column pending_email text check (length(pending_email) between 3 and 320),
        add column pending_email_code text,
        add column pending_email_attempts int not null default 0 check (pending_email_attempts >= 0),
        add column pending_email_expires_at timestamptz(3)`,

      // What was done before there was this table counts for a month as if it had been approved.
      `insert into account_acts (tenant_id, target_id, actor_id, kind, created_at, closes_at)
        select a.tenant_id, a.user_id, a.assigned_by, 'grant', a.assigned_at, a.assigned_at + interval '30 days'
        from admin_role_assignments a join users u on u.tenant_id = a.tenant_id and u.id = a.assigned_by
        where a.revoked_at is null and a.assigned_by <> a.user_id and a.assigned_at > now() - interval '30 days'`,
      `insert into account_acts (tenant_id, target_id, actor_id, kind, created_at, closes_at)
        select l.tenant_id, t.id, l.user_id,
          case l.event when 'user.create' then 'create' when 'user.activate' then 'activate' else 'identity' end,
          l.recorded_at, l.recorded_at + interval '30 days'
        from audit_logs l
        join users t on t.tenant_id = l.tenant_id and t.id::text = l.resource_id
        join users u on u.tenant_id = l.tenant_id and u.id = l.user_id
        where l.event in ('user.create', 'user.activate', 'user.link-identity') and l.resource_type = 'user'
          and t.id <> l.user_id and l.recorded_at > now() - interval '30 days'`,

      // The rules of src/domain/approval judge first; this is the lock behind them that no code path can go around.
      `create function accounts_apart(p_one uuid, p_other uuid) returns boolean
        language sql stable set search_path = '' as $$
        with recursive behind (side, id) as (
          values (1, p_one), (2, p_other)
          union
          select b.side, a.actor_id from behind b
          join public.account_acts a on a.target_id = b.id
          where a.closed_at is null and (a.closes_at is null or a.closes_at > clock_timestamp())
        )
        select not exists (select from behind one join behind other on other.id = one.id and other.side = 2 where one.side = 1)
      $$`,
      'revoke all on function accounts_apart(uuid, uuid) from public',
      'grant execute on function accounts_apart(uuid, uuid) to castellan_app',
      ...decisionGuard(`
          if exists (
            select from unnest(array_append(request.editors, request.requested_by)) author
            where new.approver_id = author or (new.verdict <> 'rejected' and not public.accounts_apart(new.approver_id, author))
          ) then
            raise exception 'nobody decides on a change of their own' using errcode = 'check_violation';
          end if;
          if new.verdict = 'approved' and exists (
            select from public.admin_approval_decisions d
            where d.approval_id = new.approval_id and d.revision = new.revision and d.verdict = 'approved'
              and d.voided_at is null and not public.accounts_apart(new.approver_id, d.approver_id)
          ) then
            raise exception 'nobody counts twice' using errcode = 'check_violation';
          end if;`),

      `alter table admin_approval_policies
        add column independence_days int not null default 30 check (independence_days between 7 and 365)`,
      'alter table admin_approvals add column description text, add column changes jsonb',
      'create index admin_approval_decisions_digest_idx on admin_approval_decisions (tenant_id, digest) where verdict = \'rejected\'',
      'alter table admin_approval_decisions drop constraint admin_approval_decisions_void_reason_check',
      `alter table admin_approval_decisions add constraint admin_approval_decisions_void_reason_check
        check (void_reason in ('edited', 'right_lost', 'withdrawn', 'not_independent'))`,
      'alter table admin_approval_history drop constraint admin_approval_history_event_check',
      `alter table admin_approval_history add constraint admin_approval_history_event_check
        check (event in (${events}, 'withdraw'))`,

      'alter table admin_break_glass_reviews drop constraint admin_break_glass_reviews_kind_check',
      `alter table admin_break_glass_reviews add constraint admin_break_glass_reviews_kind_check
        check (kind in ('bypass', 'emergency_off', 'rollout_abort'))`,
      'grant select (result), update (description, changes) on admin_approvals to castellan_definer',
      `drop function ${erasure}`,
      ...eraseApprovalTexts(
        ', description = null, changes = null',
        'or a.result @? v_mention and a.closed_at is not null',
      ),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      `drop function ${erasure}`,
      ...eraseApprovalTexts(),
      'revoke select (result), update (description, changes) on admin_approvals from castellan_definer',
      // The form before has no words for these.
      "delete from admin_break_glass_reviews where kind = 'rollout_abort'",
      'alter table admin_break_glass_reviews drop constraint admin_break_glass_reviews_kind_check',
      `alter table admin_break_glass_reviews add constraint admin_break_glass_reviews_kind_check
        check (kind in ('bypass', 'emergency_off'))`,
      "delete from admin_approval_history where event = 'withdraw'",
      'alter table admin_approval_history drop constraint admin_approval_history_event_check',
      `alter table admin_approval_history add constraint admin_approval_history_event_check check (event in (${events}))`,
      `update admin_approval_decisions set void_reason = 'right_lost'
        where void_reason in ('withdrawn', 'not_independent')`,
      'alter table admin_approval_decisions drop constraint admin_approval_decisions_void_reason_check',
      `alter table admin_approval_decisions add constraint admin_approval_decisions_void_reason_check
        check (void_reason in ('edited', 'right_lost'))`,
      'drop index admin_approval_decisions_digest_idx',
      'alter table admin_approvals drop column changes, drop column description',
      'alter table admin_approval_policies drop column independence_days',
      ...decisionGuard(`
          if new.verdict <> 'bypassed' and (new.approver_id = request.requested_by or new.approver_id = any (request.editors)) then
            raise exception 'nobody decides on a change of their own' using errcode = 'check_violation';
          end if;`),
      'drop function accounts_apart(uuid, uuid)',
      `alter table users drop column pending_email_expires_at, drop column pending_email_attempts,
        drop column pending_email_code, drop column pending_email`,
      'alter table users drop column decisions_count_from',
      'drop table account_acts',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

function decisionGuard(personRules: string): string[] {
  return [
    `create or replace function approval_decision_guard() returns trigger language plpgsql set search_path = '' as $$
        declare request public.admin_approvals%rowtype;
        begin
          select * into request from public.admin_approvals where id = new.approval_id;
          if request.revision <> new.revision or request.digest <> new.digest then
            raise exception 'a decision is about what the request says now' using errcode = 'check_violation';
          end if;${personRules}
          return new;
        end $$`,
  ];
}

/**
 * What closed requests say of a person is erased.
 *
 * @param more further columns of the request that are emptied
 * @param also further requests beside those whose payload names the person
 */
function eraseApprovalTexts(more = '', also = ''): string[] {
  return [
    `create function erase_approval_texts(p_person_id uuid) returns int
        language plpgsql volatile security definer set search_path = ''
        as $$
        declare
          v_tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
          v_mention jsonpath := format('$.** ? (@ == "%s")', p_person_id)::jsonpath;
          v_digests text[];
          v_approvals uuid[];
        begin
          if not exists (
            select from public.audit_person_keys k
            where k.tenant_id = v_tenant and k.person_id = p_person_id and k.destroyed_at is not null
          ) then
            raise exception 'only what is said of an erased person is erased' using errcode = '42501';
          end if;
          with erased as (
            update public.admin_approval_payloads p set payload = null, erased_at = now()
            where p.tenant_id = v_tenant and p.payload @? v_mention
              and not exists (
                select from public.admin_approvals a
                where a.tenant_id = v_tenant and a.digest = p.digest and a.closed_at is null)
            returning p.digest
          )
          select coalesce(array_agg(digest), '{}') into v_digests from erased;
          select coalesce(array_agg(a.id), '{}') into v_approvals
          from public.admin_approvals a where a.tenant_id = v_tenant and (a.digest = any (v_digests)${also === '' ? '' : ` ${also}`});
          update public.admin_approvals a
          set reason = null, result = null, bypass_reason = case when a.bypass_reason is null then null else 'erased' end${more}
          where a.tenant_id = v_tenant and a.id = any (v_approvals);
          update public.admin_approval_decisions d set reason = null
          where d.tenant_id = v_tenant and d.approval_id = any (v_approvals) and d.reason is not null;
          update public.admin_approval_history h set reason = null
          where h.tenant_id = v_tenant and h.approval_id = any (v_approvals) and h.reason is not null;
          update public.admin_break_glass_reviews r set reason = 'erased', comment = null
          where r.tenant_id = v_tenant and r.approval_id = any (v_approvals);
          return cardinality(v_approvals);
        end
        $$`,
    `revoke all on function ${erasure} from public`,
    `grant execute on function ${erasure} to castellan_app`,
    `alter function ${erasure} owner to castellan_definer`,
  ];
}
