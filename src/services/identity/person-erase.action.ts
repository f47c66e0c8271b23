import { sql } from 'kysely';
import { z } from 'zod';
import { reasonText, uuid } from '../../platform/value-schemas.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { noPendingAddress } from './pending-address.service.ts';
import { clearOwnText, erasePersonTraces, erasedAt } from './person-traces.service.ts';
import { defineAction } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';

/** What can be erased: people with an account, and contacts. */
export const erasableKinds = ['user', 'contact'] as const;

const personErasePayload = z.strictObject({
  person_id: uuid,
  kind: z.enum(erasableKinds),
  reason: reasonText.describe('Reason, for the record; must not name a person'),
});

type Payload = z.output<typeof personErasePayload>;

/**
 * Erases a person who was deleted before: account or contact lose all personal data, and the key under which the audit
 * log seals the rest is destroyed. The log keeps every entry and still verifies; its entries name the person by an id that
 * resolves to nothing. Closed approval requests that name the person lose payload and reasons. It cannot be undone.
 */
export const personErase = defineAction({
  name: 'person.erase',
  title: 'Erase a deleted person permanently',
  permission: 'user:delete',
  payload: personErasePayload,
  unwrittenGate: 'approval',
  // Nothing brings back what was erased.
  floor: () => 'approval',
  environment: () => null,
  reason: ({ reason }) => reason,
  describe: ({ kind, person_id }) =>
    `Permanently erase the deleted ${kind} ${person_id}: personal data, and the key to what the audit log holds ` +
    'about them.',
  present: async (db, scope, { kind, person_id }) => {
    const name = await subjectName(db, scope, kind, person_id);
    return {
      description: `Permanently erase the deleted ${kind} ${name}: personal data, and the key to what the audit log holds about them.`,
      changes: [{ field: kind, before: name, after: null }],
    };
  },
  check: async (tx, payload) => {
    await assertDeleted(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    await assertDeleted(tx, payload);
    const { person_id, kind } = payload;
    if (kind === 'user') await clearUser(tx, person_id);
    else await clearContact(tx, person_id);
    const requests_erased = await erasePersonTraces(tx, person_id);
    await clearOwnText(tx, authority, 'Permanently erase a deleted person.');
    tx.audit({
      event: 'person.erase',
      action: 'delete',
      resource_type: 'person',
      resource_id: person_id,
      new_values: {
        kind,
        reason: payload.reason,
        requests_erased,
        approval_id: authority.kind === 'approval' ? authority.approval_id : null,
      },
    });
    return { person_id, kind };
  },
  undo: () => null,
});

/** @throws Problem 404, or `resource.conflict` for a person who is not deleted yet or is erased already. */
async function assertDeleted(tx: Tx, { person_id, kind }: Payload): Promise<void> {
  const person =
    kind === 'user'
      ? await tx.sql.selectFrom('users').where('id', '=', person_id).select('deleted_at').forNoKeyUpdate().executeTakeFirst()
      : await tx.sql.selectFrom('contacts').where('id', '=', person_id).select('deleted_at').forNoKeyUpdate().executeTakeFirst();
  if (person === undefined) throw notFound(kind);
  if (person.deleted_at === null) {
    throw new Problem({
      code: 'resource.conflict',
      detail: `Delete the ${kind} first; only a deleted one can be erased.`,
    });
  }
  const erased = await erasedAt(tx, person_id);
  if (erased !== null) throw new Problem({ code: 'resource.conflict', detail: `The ${kind} was erased at ${erased}.` });
}

/** What a name is replaced by; an address is replaced by one in `.invalid`, which reaches nobody (RFC 2606). */
const erasedName = 'Erased person';

async function clearUser(tx: Tx, id: string): Promise<void> {
  await tx.sql
    .updateTable('users')
    .set({
      full_name: erasedName,
      email: `${id}@erased.invalid`,
      phone_number: null,
      ...noPendingAddress,
      password_hash: null,
      time_zone: null,
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('id', '=', id)
    .execute();
  await tx.sql
    .updateTable('admin_users')
    .set({ job_title: null, department: null, notes: null, updated_at: sql<string>`now()` })
    .where('user_id', '=', id)
    .execute();
  await tx.sql.updateTable('sessions').set({ ip: null, user_agent: null }).where('user_id', '=', id).execute();
  await tx.sql.deleteFrom('user_identities').where('user_id', '=', id).execute();
  await tx.sql.deleteFrom('mfa_factors').where('user_id', '=', id).execute();
}

async function clearContact(tx: Tx, id: string): Promise<void> {
  await tx.sql
    .updateTable('contacts')
    .set({
      name: erasedName,
      email: null,
      phone_number: null,
      company: null,
      source: null,
      notes: null,
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('id', '=', id)
    .execute();
}
