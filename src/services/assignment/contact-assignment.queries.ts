import { replayChoice } from '../../domain/assignment/auto-assign.ts';
import { query } from '../../entities/kysely-schema.ts';
import { newestFirst, toPage } from '../../platform/database/keyset-page.ts';

/** Assignments of contacts; `a` is the row. */
export function contactAssignmentsQuery() {
  return query
    .selectFrom('user_contact_assignment as a')
    .select(['a.id', 'a.user_id', 'a.contact_id', 'a.campaign_id', 'a.method', 'a.reason'])
    .select(['a.assigned_by', 'a.assigned_at', 'a.released_at']);
}

type AssignmentRow = Awaited<ReturnType<ReturnType<typeof contactAssignmentsQuery>['executeTakeFirstOrThrow']>>;

/** An assignment with its reason and the reason's replay (S3-36). */
export function explain(row: AssignmentRow) {
  const { reason, user_id } = row;
  if (reason.kind !== 'dealt') return { ...row, replay: null };
  const again = replayChoice(reason);
  return { ...row, replay: { user_id: again, agrees: again === user_id } };
}

/** Contacts that a person looks after, newest first: one row more than the page. */
export function assignedContacts(
  userId: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
) {
  return contactAssignmentsQuery()
    .where('a.user_id', '=', userId)
    .where('a.released_at', 'is', null)
    .$call(newestFirst({ limit, cursor }, { time: 'a.assigned_at', id: 'a.id' }));
}

/** The page out of the rows of {@link assignedContacts}. */
export function contactsPage<Row extends { readonly assigned_at: string; readonly id: string }>(
  rows: readonly Row[],
  limit: number,
) {
  return toPage(rows, limit, (row) => [row.assigned_at, row.id], (row) => row);
}
