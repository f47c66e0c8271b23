import { sql } from 'kysely';
import { ContactEntity } from '../../entities/assignment/contact.entity.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { notFound } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';

/** The columns that people write. */
export const contactColumns = ['name', 'email', 'phone_number', 'company', 'source', 'notes'] as const;

/**
 * Loads and locks a contact that is to be changed. Not by `lockOne`, whose `for update` also blocks inserts that refer to
 * the row by a foreign key: a deletion, which goes on to release the assignment, would deadlock with a reassignment, which
 * holds the assignment and inserts the next one.
 *
 * @throws Problem 404, 412 for an older version.
 */
export async function lockContactForChange(tx: Tx, id: string, version: number) {
  tx.defer(tx.sql.selectFrom('contacts').where('id', '=', id).select('id').forNoKeyUpdate());
  const contact = await tx.em.findOne(ContactEntity, { id, deleted_at: null });
  if (contact === null) throw notFound('contact');
  return assertVersion(contact, version);
}

/** An existing contact with its open assignment and its place in a queue, if it has them. */
export interface LockedContact {
  readonly contact_id: string;
  readonly assignment_id: string | null;
  readonly owner_id: string | null;
  readonly owner_campaign_id: string | null;
  readonly queue_id: string | null;
  readonly queue_campaign_id: string | null;
}

/**
 * Locks contacts until the transaction ends, in the order of their ids, so that two requests for the same ones do not
 * deadlock.
 *
 * @returns the contacts that exist, by id.
 */
export async function lockContacts(tx: Tx, contactIds: readonly string[]): Promise<Map<string, LockedContact>> {
  const ids = sql<string>`any(${[...contactIds]}::uuid[])`;
  const found = await tx.sql
    .selectFrom('contacts')
    .where('id', '=', ids)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .select('id')
    .forNoKeyUpdate()
    .execute();
  const waiting = await tx.sql
    .selectFrom('assignment_queue')
    .where('contact_id', '=', ids)
    .where('left_at', 'is', null)
    .select(['id', 'contact_id', 'campaign_id'])
    .execute();
  const owned = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('contact_id', '=', ids)
    .where('released_at', 'is', null)
    .select(['id', 'contact_id', 'user_id', 'campaign_id'])
    .execute();
  const owners = new Map(owned.map((row) => [row.contact_id, row]));
  const entries = new Map(waiting.map((row) => [row.contact_id, row]));
  return new Map(
    found.map(({ id }) => {
      const [owner, entry] = [owners.get(id), entries.get(id)];
      const contact: LockedContact = {
        contact_id: id,
        assignment_id: owner?.id ?? null,
        owner_id: owner?.user_id ?? null,
        owner_campaign_id: owner?.campaign_id ?? null,
        queue_id: entry?.id ?? null,
        queue_campaign_id: entry?.campaign_id ?? null,
      };
      return [id, contact];
    }),
  );
}

/** The owner of each contact now or, without one, the last. Contacts that never had one are missing. */
export async function lastOwners(tx: Tx, contactIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('contact_id', '=', sql<string>`any(${[...contactIds]}::uuid[])`)
    .distinctOn('contact_id')
    .orderBy('contact_id')
    .orderBy('assigned_at', 'desc')
    .select(['contact_id', 'user_id'])
    .execute();
  return new Map(rows.map(({ contact_id, user_id }) => [contact_id, user_id]));
}

/** Ends assignments; their rows stay as history (S3-43). */
export async function releaseAssignments(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.sql
    .updateTable('user_contact_assignment')
    .set({ released_at: sql<string>`clock_timestamp()` })
    .where('id', '=', sql<string>`any(${[...ids]}::uuid[])`)
    .execute();
}
