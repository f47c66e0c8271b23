import { contactAssignmentsQuery } from '../../api/assignment/assignment.schemas.ts';
import { newestFirst, toPage } from '../../platform/database/keyset-page.ts';

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
