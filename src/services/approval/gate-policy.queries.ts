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
