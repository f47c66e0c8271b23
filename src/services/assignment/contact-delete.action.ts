import { z } from 'zod';
import { kysely } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import { defineAction, onlyExistence } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { openAssignments } from './assignment-access.service.ts';
import { sendQueueWakeOfChange } from './assignment-drain.client.ts';
import { deleteContact } from './contact.service.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { uuid } from '../../platform/value-schemas.ts';

const contactDeletePayload = z.strictObject({ contact_id: uuid, version: rowVersion });

/** The contact has no owner any more; its history stays. Ungated unless the tenant has a gate policy for it. */
export const contactDelete = defineAction({
  name: 'contact.delete',
  title: 'Delete a contact',
  permission: 'contact:manage',
  payload: contactDeletePayload,
  unwrittenGate: 'none',
  environment: () => null,
  reason: () => null,
  describe: ({ contact_id }) => `Delete the contact ${contact_id}.`,
  present: async (db, scope, { contact_id }) => {
    const name = await subjectName(db, scope, 'contact', contact_id);
    return { description: `Delete the contact ${name}.`, changes: [{ field: 'contact', before: name, after: null }] };
  },
  basis: ({ contact_id, version }) => ({
    base_version: version,
    judged_by: 'touched',
    // A deletion is of the row, whatever is in it: whoever edits it does not hold the deletion up.
    query: kysely
      .selectFrom('contacts')
      .where('id', '=', contact_id)
      .where('deleted_at', 'is', null)
      .select(['version', onlyExistence]),
  }),
  check: async (tx, { contact_id, version }) => {
    const contact = await tx.sql
      .selectFrom('contacts')
      .where('id', '=', contact_id)
      .where('version', '=', version)
      .where('deleted_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (contact === undefined) throw notFound('contact');
  },
  execute: async (tx, { contact_id, version }) => {
    await openAssignments(tx);
    return deleteContact(tx, contact_id, version);
  },
  undo: () => null,
  afterCommit: sendQueueWakeOfChange,
});
