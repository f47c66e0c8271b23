import { replayChoice } from '../../domain/assignment/auto-assign.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst, toPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { openAssignmentsQuery, readAssignments } from './assignment-access.service.ts';
import { membershipsOf } from './campaign/campaign.queries.ts';

type Deps = ReadDeps;

/** Assignments of contacts; `a` is the row. */
function contactAssignmentsQuery() {
  return kysely
    .selectFrom('user_contact_assignment as a')
    .select(['a.id', 'a.user_id', 'a.contact_id', 'a.campaign_id', 'a.method', 'a.reason'])
    .select(['a.assigned_by', 'a.assigned_at', 'a.released_at']);
}

type AssignmentRow = Awaited<ReturnType<ReturnType<typeof contactAssignmentsQuery>['executeTakeFirstOrThrow']>>;

/** An assignment with the choice repeated from its stored inputs (S3-36); null for what was assigned by hand. */
function withReplay(row: AssignmentRow) {
  const { reason, user_id } = row;
  if (reason.kind !== 'dealt') return { ...row, replay: null };
  const repeated = replayChoice(reason);
  return { ...row, replay: { user_id: repeated, agrees: repeated === user_id } };
}

/** Reads the open assignment of a contact to a user, with its reason. @throws Problem 404 when the user does not own it. */
export async function explainAssignment(deps: Deps, actor: Actor, userId: string, contactId: string) {
  const [row] = await readAssignments(
    deps,
    actor,
    contactAssignmentsQuery()
      .where('a.user_id', '=', userId)
      .where('a.contact_id', '=', contactId)
      .where('a.released_at', 'is', null),
  );
  if (row === undefined) throw notFound('assignment');
  return withReplay(row);
}

/** Reads a page of the assignments of a contact, past ones included, newest first, each with its reason. */
export async function loadAssignmentHistory(deps: Deps, actor: Actor, contactId: string, page: Page) {
  const rows = await readAssignments(
    deps,
    actor,
    contactAssignmentsQuery()
      .where('a.contact_id', '=', contactId)
      .$call(newestFirst(page, { time: 'a.assigned_at', id: 'a.id' })),
  );
  return toPage(rows, page.limit, (row) => [row.assigned_at, row.id], withReplay);
}

/** The open contacts of a user, newest first: one row more than the page. */
function ownedContacts(userId: string, page: Page) {
  return contactAssignmentsQuery()
    .where('a.user_id', '=', userId)
    .where('a.released_at', 'is', null)
    .$call(newestFirst(page, { time: 'a.assigned_at', id: 'a.id' }));
}

/** The page out of the rows of {@link ownedContacts}. */
function ownedContactsPage<Row extends { readonly assigned_at: string; readonly id: string }>(
  rows: readonly Row[],
  limit: number,
) {
  return toPage(rows, limit, (row) => [row.assigned_at, row.id], (row) => row);
}

/** Reads the campaigns of a user and a page of the user's contacts. @throws Problem 404 when there is no such user. */
export async function loadUserAssignments({ db }: Deps, actor: Actor, userId: string, page: Page) {
  const [, [user], campaigns, contacts] = await readAll(db, actor, [
    openAssignmentsQuery,
    kysely.selectFrom('users').where('id', '=', userId).select('id'),
    membershipsOf(userId),
    ownedContacts(userId, page),
  ] as const);
  if (user === undefined) throw notFound('user');
  return { user_id: userId, campaigns, contacts: ownedContactsPage(contacts, page.limit) };
}

/**
 * {@link loadUserAssignments} of the actor. Assignments are not opened, so row-level security shows the actor's own rows
 * only, whatever the query says (S3-38).
 *
 * @throws Problem 403 when the actor is not a user.
 */
export async function loadOwnAssignments({ db }: Deps, actor: Actor, page: Page) {
  const { user_id } = actor;
  if (user_id === null) throw new Problem({ code: 'auth.forbidden', detail: 'Only users can own contacts.' });
  const campaigns = await read(db, actor, membershipsOf(user_id));
  const contacts = await read(db, actor, ownedContacts(user_id, page));
  return { user_id, campaigns, contacts: ownedContactsPage(contacts, page.limit) };
}
