import { sql } from 'kysely';
import { safePolicy } from '../../domain/approval/approval-gate.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';

/** The columns of a gate policy that are displayed. */
export const gatePolicyColumns = [
  'id',
  'action',
  'environment',
  'gate',
  'steps',
  'review_window_seconds',
  'execution_window_seconds',
  'reminder_interval_seconds',
  'bypass_review_seconds',
  'independence_days',
  'bypassers',
  'updated_by',
  'created_at',
  'updated_at',
  'version',
] as const;

/** One page of gate policies, newest first. */
export function gatePoliciesQuery({ action }: { readonly action?: string | undefined }, page: Page) {
  return kysely
    .selectFrom('admin_approval_policies')
    .where((eb) => eb.and({ action }))
    .$call(newestFirst(page))
    .select(gatePolicyColumns);
}

/** The gates of all gate policies. */
export function writtenGatesQuery() {
  return kysely.selectFrom('admin_approval_policies').select(['action', 'environment', 'gate']);
}

/**
 * The codes of the roles by which somebody is eligible: those that the steps of a written policy name, of the policy that a
 * request still waiting was opened under, or of the safe one.
 */
export function eligibleRolesQuery() {
  const safe = safePolicy.steps.flatMap(({ roles }) => roles);
  const statement = sql<{ code: string }>`
    select jsonb_array_elements_text(step -> 'roles') as code
    from (
      select steps from admin_approval_policies
      union all
      select policy -> 'steps' from admin_approvals where status in ('pending', 'approved')
    ) p
    cross join jsonb_array_elements(p.steps) step
    union
    select unnest(${safe}::text[])`;
  return { compile: () => statement.compile(kysely) };
}
