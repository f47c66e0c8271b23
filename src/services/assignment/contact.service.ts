import { sql } from 'kysely';
import { ContactEntity } from '../../entities/assignment/contact.entity.ts';
import { now } from '../../entities/shared/column-types.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { leaveQueue } from './assignment-queue.service.ts';
import { releaseAssignments, contactColumns, lockContactForChange } from './contact.repository.ts';

/** The fields of a contact that people write. */
export interface ContactValues {
  readonly name: string;
  /** Lower case. */
  readonly email: string | null;
  readonly phone_number: string | null;
  readonly company: string | null;
  readonly source: string | null;
  readonly notes: string | null;
}

/** Creates a contact. @throws the database's unique violation when another contact has the e-mail address (409). */
export async function createContact(tx: Tx, values: ContactValues): Promise<string> {
  const { id } = tx.em.create(ContactEntity, { ...values, created_by: tx.actor.user_id });
  await tx.flush();
  auditCreated(tx, id, values);
  return id;
}

/**
 * Creates the contacts whose e-mail address no contact has yet.
 *
 * @returns ids in the order of the rows; null for a row whose e-mail address exists already.
 */
export async function createMissingContacts(tx: Tx, rows: readonly ContactValues[]): Promise<(string | null)[]> {
  const ids: (string | null)[] = [];
  for (const values of rows) {
    const created = await tx.sql
      .insertInto('contacts')
      .values({ tenant_id: tx.actor.tenant_id, created_by: tx.actor.user_id, ...values })
      .onConflict((conflict) =>
        conflict.expression(sql`tenant_id, lower(email)`).where('deleted_at', 'is', null).doNothing(),
      )
      .returning('id')
      .executeTakeFirst();
    if (created !== undefined) auditCreated(tx, created.id, values);
    ids.push(created?.id ?? null);
  }
  return ids;
}

function auditCreated(tx: Tx, id: string, new_values: ContactValues): void {
  tx.audit({ event: 'contact.create', action: 'create', resource_type: 'contact', resource_id: id, new_values });
}

/** Changes a contact. @throws Problem 404, 412 for an older version. */
export async function updateContact(tx: Tx, id: string, version: number, changes: Partial<ContactValues>): Promise<void> {
  const contact = await lockContactForChange(tx, id, version);
  const before = toRow(contact, contactColumns);
  tx.em.assign(contact, changes);
  await tx.flush();
  tx.audit({
    event: 'contact.update',
    action: 'update',
    resource_type: 'contact',
    resource_id: id,
    old_values: before,
    new_values: { ...before, ...changes },
  });
}

/**
 * Deletes a contact, releases it from its owner and takes it out of the queue. Its rows stay. The transaction must
 * have the assignments open.
 *
 * @returns the campaign in whose pool the owner has capacity again, if the contact belonged to one.
 * @throws Problem 404, 412 for an older version.
 */
export async function deleteContact(tx: Tx, id: string, version: number): Promise<{ campaign_id: string | null }> {
  const contact = await lockContactForChange(tx, id, version);
  const before = toRow(contact, contactColumns);
  tx.em.assign(contact, { deleted_at: now() });
  await tx.flush();
  const assignment = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('contact_id', '=', id)
    .where('released_at', 'is', null)
    .select(['id', 'user_id', 'campaign_id'])
    .executeTakeFirst();
  if (assignment !== undefined) await releaseAssignments(tx, [assignment.id]);
  const waiting = await tx.sql
    .selectFrom('assignment_queue')
    .where('contact_id', '=', id)
    .where('left_at', 'is', null)
    .select('id')
    .execute();
  await leaveQueue(tx, waiting.map((entry) => entry.id), 'withdrawn');
  tx.audit({
    event: 'contact.delete',
    action: 'delete',
    resource_type: 'contact',
    resource_id: id,
    old_values: { ...before, user_id: assignment?.user_id ?? null },
  });
  return { campaign_id: assignment?.campaign_id ?? null };
}
