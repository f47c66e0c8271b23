import type { Actor } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { openAssignmentsQuery } from './assignment-access.service.ts';
import { membershipsOf } from './campaign-pool.queries.ts';
import { ownedContacts, ownedContactsPage } from './contact-assignment.queries.ts';

type Deps = Pick<ProcessDeps, 'db'>;

/** Reads the campaigns of a user and a page of the user's contacts. @throws Problem 404 when there is no such user. */
export async function loadUserAssignments({ db }: Deps, actor: Actor, userId: string, page: Page) {
  const [, [user], campaigns, contacts] = await readAll(db, actor, [
    openAssignmentsQuery,
    query.selectFrom('users').where('id', '=', userId).select('id'),
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
  if (user_id === null) throw new Problem({ code: 'auth.forbidden', detail: 'Only people look after contacts.' });
  const campaigns = await read(db, actor, membershipsOf(user_id));
  const contacts = await read(db, actor, ownedContacts(user_id, page));
  return { user_id, campaigns, contacts: ownedContactsPage(contacts, page.limit) };
}
