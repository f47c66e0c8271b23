import { z } from 'zod';
import { notFound } from '../../platform/problem.ts';
import { defineAction } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { openAssignments } from './assignment-access.service.ts';
import { sendQueueWakeOfChange } from './assignment-drain.client.ts';
import { unassignContact } from './contact-assignment.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

const removeContactPayload = z.strictObject({ user_id: uuid, contact_id: uuid });

/** Takes a contact from its owner (S3-7). Ungated unless the tenant has a gate policy for it. */
export const assignmentRemoveContact = defineAction({
  name: 'assignment.remove-contact',
  title: 'Remove a contact from a user',
  permission: 'assignment:manage',
  payload: removeContactPayload,
  unwrittenGate: 'none',
  environment: () => null,
  reason: () => null,
  describe: ({ user_id, contact_id }) => `Remove the contact ${contact_id} from the user ${user_id}.`,
  present: async (db, scope, { user_id, contact_id }) => {
    const [contact, user] = await Promise.all([
      subjectName(db, scope, 'contact', contact_id),
      subjectName(db, scope, 'user', user_id),
    ]);
    return {
      description: `Remove the contact ${contact} from ${user}.`,
      changes: [{ field: 'owner of the contact', before: user, after: null }],
    };
  },
  check: async (tx, { user_id, contact_id }) => {
    await openAssignments(tx);
    const assignment = await tx.sql
      .selectFrom('user_contact_assignment')
      .where('user_id', '=', user_id)
      .where('contact_id', '=', contact_id)
      .where('released_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (assignment === undefined) throw notFound('assignment');
  },
  execute: async (tx, { user_id, contact_id }) => {
    await openAssignments(tx);
    return unassignContact(tx, user_id, contact_id);
  },
  undo: () => null,
  afterCommit: sendQueueWakeOfChange,
});
