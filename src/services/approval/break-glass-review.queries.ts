import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';

interface ReviewFilter {
  /** An `overdue` review is open and due. */
  readonly state?: 'open' | 'overdue' | 'done' | undefined;
  /** Who made the emergency change. */
  readonly user_id?: string | undefined;
}

/** The authors of a request; none for no request. */
export function authorsOfApprovalQuery(approvalId: string | null) {
  return kysely.selectFrom('admin_approvals').where('id', '=', approvalId).select(['requested_by', 'editors']);
}

/** One page of the reviews of emergency changes, newest first. */
export function reviewsQuery({ state, user_id }: ReviewFilter, page: Page) {
  return kysely
    .selectFrom('admin_break_glass_reviews')
    .$if(state === 'done', (q) => q.where('reviewed_at', 'is not', null))
    .$if(state === 'open' || state === 'overdue', (q) => q.where('reviewed_at', 'is', null))
    .$if(state === 'overdue', (q) => q.where('due_at', '<=', sql<string>`now()`))
    .where((eb) => eb.and({ user_id }))
    .$call(newestFirst(page))
    .selectAll();
}
