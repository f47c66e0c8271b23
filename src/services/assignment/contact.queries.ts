import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { rolePermissionFor } from '../../domain/identity/access.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { containsPattern } from '../../platform/database/like-pattern.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { readAssignments } from './assignment-access.service.ts';
import { visibleContacts } from './visible-rows.queries.ts';

type Deps = ReadDeps;

/** Contacts that are not deleted and that the actor may see, with their owner; `c` is the row of `contacts`. */
function contactsQuery(actor: Actor) {
  return kysely
    .selectFrom('contacts as c')
    .leftJoin('user_contact_assignment as a', (join) =>
      join.onRef('a.contact_id', '=', 'c.id').on('a.released_at', 'is', null),
    )
    .where('c.deleted_at', 'is', null)
    .where(visibleContacts(actor))
    .select(['c.id', 'c.name', 'c.email', 'c.phone_number', 'c.company', 'c.source', 'c.notes', 'a.user_id'])
    .select(['c.created_by', 'c.created_at', 'c.updated_at', 'c.version'])
    .select(
      sql<boolean>`exists (select from assignment_queue q where q.contact_id = c.id and q.left_at is null)`.as('is_waiting'),
    );
}

/** Which contacts a list holds; what is undefined does not narrow it. */
interface ContactFilter {
  /** Part of name, e-mail address, phone number or company, in any case. */
  readonly text: string | undefined;
  readonly source: string | undefined;
  /** The owner. */
  readonly user_id: string | undefined;
}

/** Reads a page of the contacts that the actor may see, newest first: one row more than the page. */
export async function loadContacts(deps: Deps, actor: Actor, { text, source, user_id }: ContactFilter, page: Page) {
  const list = contactsQuery(actor)
    .where((eb) => eb.and({ 'c.source': source, 'a.user_id': user_id }))
    .$call(newestFirst(page, { time: 'c.created_at', id: 'c.id' }));
  return readContacts(deps, actor, text === undefined ? list : list.where(containsText(text)));
}

function containsText(text: string) {
  const pattern = containsPattern(text);
  return sql<boolean>`(c.name ilike ${pattern} or c.email ilike ${pattern} or c.phone_number ilike ${pattern}
    or c.company ilike ${pattern})`;
}

/** Reads one contact that the actor may see. @throws Problem 404. */
export async function loadContact(deps: Deps, actor: Actor, id: string) {
  const [contact] = await readContacts(deps, actor, contactsQuery(actor).where('c.id', '=', id));
  if (contact === undefined) throw notFound('contact');
  return contact;
}

/** For those whose right to something about a contact has been judged already. @throws Problem 404. */
export async function assertContactExists({ db }: Deps, actor: Actor, id: string): Promise<void> {
  const [found] = await read(db, actor, kysely.selectFrom('contacts').where('id', '=', id).where('deleted_at', 'is', null).select('id'));
  if (found === undefined) throw notFound('contact');
}

/**
 * Owners are visible to actors who may see assignments, and of the contacts that are visible by ownership or a campaign; other
 * actors see only which contacts are their own.
 */
function readContacts<Row>(deps: Deps, actor: Actor, statement: { compile(): CompiledQuery<Row> }): Promise<Row[]> {
  return actor.permissions.includes('assignment:read') || rolePermissionFor(actor, 'contact:read') === undefined
    ? readAssignments(deps, actor, statement)
    : read(deps.db, actor, statement);
}
