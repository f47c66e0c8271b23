import { Migration } from '@mikro-orm/migrations';
import { definerLookup } from './helpers/tenant-table.ts';

const signature = 'erase_approval_texts(uuid)';

/** What the function writes; the application itself may change none of it. */
const erasable = {
  admin_approval_payloads: ['payload', 'erased_at'],
  admin_approvals: ['reason', 'bypass_reason', 'result'],
  admin_approval_decisions: ['reason'],
  admin_approval_history: ['reason'],
  admin_break_glass_reviews: ['reason', 'comment'],
};

/** What the function looks at, beside what `approvals_open` may. */
const lookups = {
  admin_approval_payloads: ['tenant_id', 'digest', 'payload'],
  admin_approval_decisions: ['tenant_id', 'approval_id', 'reason'],
  admin_approval_history: ['tenant_id', 'approval_id', 'reason'],
  admin_break_glass_reviews: ['tenant_id', 'approval_id'],
  audit_person_keys: ['tenant_id', 'person_id', 'destroyed_at'],
};

/**
 * Erasing a person reaches what closed approval requests say about them (capability 34). Digests, decisions and times
 * stay: the evidence that something was approved, without what it said. The function does it only for somebody whose key
 * is destroyed, so that nothing else can be made to vanish by it.
 */
export class Migration20261121310000_approval_erasure extends Migration {
  override up(): void {
    const statements = [
      'alter table admin_approval_payloads add column erased_at timestamptz(3)',
      'alter table admin_approval_payloads drop constraint admin_approval_payloads_one_form',
      `alter table admin_approval_payloads add constraint admin_approval_payloads_one_form
        check (num_nonnulls(payload, payload_ciphertext, erased_at) = 1)`,
      ...Object.entries(lookups).flatMap(([table, columns]) => definerLookup(table, columns)),
      'grant select (digest, reason, bypass_reason, closed_at) on admin_approvals to castellan_definer',
      ...Object.entries(erasable).flatMap(([table, columns]) => [
        `grant update (${columns.join(', ')}) on ${table} to castellan_definer`,
        `create policy definer_erase on ${table} for update to castellan_definer using (true)`,
      ]),
      `create function ${signature.replace('uuid', 'p_person_id uuid')} returns int
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
          from public.admin_approvals a where a.tenant_id = v_tenant and a.digest = any (v_digests);
          update public.admin_approvals a
          set reason = null, result = null, bypass_reason = case when a.bypass_reason is null then null else 'erased' end
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
      `revoke all on function ${signature} from public`,
      `grant execute on function ${signature} to castellan_app`,
      `alter function ${signature} owner to castellan_definer`,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      `drop function ${signature}`,
      ...Object.entries(erasable).flatMap(([table, columns]) => [
        `drop policy definer_erase on ${table}`,
        `revoke update (${columns.join(', ')}) on ${table} from castellan_definer`,
      ]),
      'revoke select (digest, reason, bypass_reason, closed_at) on admin_approvals from castellan_definer',
      ...Object.entries(lookups).flatMap(([table, columns]) => [
        `drop policy definer_lookup on ${table}`,
        `revoke select (${columns.join(', ')}) on ${table} from castellan_definer`,
      ]),
      // The form before has no place for what was erased.
      "update admin_approval_payloads set payload = 'null' where erased_at is not null",
      'alter table admin_approval_payloads drop constraint admin_approval_payloads_one_form',
      `alter table admin_approval_payloads add constraint admin_approval_payloads_one_form
        check (num_nonnulls(payload, payload_ciphertext) = 1)`,
      'alter table admin_approval_payloads drop column erased_at',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
