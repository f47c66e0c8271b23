import { sql } from 'kysely';
import { z } from 'zod';
import { dialledNumber } from '../../domain/client-record/dialled-number.ts';
import { can } from '../../domain/identity/access.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { inputIssues, invalidInput, unknownReference } from '../../platform/input-issues.ts';
import { Problem, taken } from '../../platform/problem.ts';
import { assertAccess, assertAllowed } from '../assignment/index.ts';
import { decideModuleAccess } from '../identity/role/module-access.service.ts';
import type { ClientConversion, ConversionSource } from './client-conversion.payload.ts';
import { clientFields } from './client.payload.ts';
import { createClient } from './client.service.ts';

/** What a contact or a prospect says of somebody. */
interface Origin {
  readonly name: string;
  readonly company: string | null;
  readonly email: string | null;
  readonly phone: string | null;
}

/** What a client takes from its source, in the form in which clients have it. */
const sourceValues = z.object({ name: clientFields.name, email: clientFields.email, phone_number: clientFields.phone_number });

/**
 * Makes a client of a contact or a prospect, which stays as it is.
 *
 * @param nowMs milliseconds since the epoch.
 * @returns the id of the client.
 * @throws Problem 403 for a contact that the actor may not see, 409 that names the client where there is one already, 422 where what
 *   the source says cannot be taken and nothing else was given.
 */
export async function convertToClient(tx: Tx, { source, name, email, phone_number, ...values }: ClientConversion, nowMs: number): Promise<string> {
  const origin = source.type === 'contact' ? await lockContact(tx, source.id) : await lockProspect(tx, source.id);
  await assertNotConverted(tx, source);
  const own = values.kind === 'company' ? given(origin.company) : null;
  const phone = given(origin.phone);
  const parsed = sourceValues.safeParse({
    name: name ?? own ?? origin.name,
    email: email === undefined ? given(origin.email) : email,
    phone_number: phone_number === undefined ? phone && dialledNumber(phone) : phone_number,
  });
  if (!parsed.success) {
    const pointers = new Set(inputIssues('', parsed.error).map(({ pointer }) => pointer));
    const detail = `is needed: the ${source.type} has none that can be taken as it is`;
    throw invalidInput([...pointers].map((pointer) => ({ pointer, detail })));
  }
  const link = source.type === 'contact' ? { contact_id: source.id } : { prospect_id: source.id };
  return createClient(tx, { ...values, ...parsed.data }, link, nowMs);
}

/** Fields that were left empty are texts without a character in some rows. */
function given(text: string | null): string | null {
  return text === null || text.trim() === '' ? null : text.trim();
}

/** Two conversions of one contact wait for each other, so that the second learns of the client of the first. */
async function lockContact(tx: Tx, id: string): Promise<Origin> {
  await assertAccess(tx, tx.actor, 'contact:read', { type: 'contact', id });
  const contact = await tx.sql
    .selectFrom('contacts')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(['name', 'company', 'email', 'phone_number as phone'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (contact === undefined) throw unknownReference('/source/id', 'contact');
  return contact;
}

/** Somebody else's prospect is told like one that is not there (S0-11). */
async function lockProspect(tx: Tx, id: number): Promise<Origin> {
  assertAllowed(can(tx.actor, 'tracker:use'), 'tracker:use');
  const prospect = await tx.sql
    .selectFrom('admin_prospects')
    .where('id', '=', id)
    .where('user_id', '=', tx.actor.user_id)
    .where('deleted_at', 'is', null)
    .select(['name', 'company', 'email', 'phone'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (prospect === undefined) throw unknownReference('/source/id', 'prospect');
  return prospect;
}

/** @throws Problem 409 where the source is a client, or part of one by a merge; it is named to those who may see clients. */
async function assertNotConverted(tx: Tx, { type, id }: ConversionSource): Promise<void> {
  const client = await tx.sql
    .selectFrom('clients as c')
    .leftJoin('clients as s', 's.id', 'c.merged_into_id')
    .where(sql.ref(type === 'contact' ? 'c.contact_id' : 'c.prospect_id'), '=', id)
    .where(sql<boolean>`coalesce(s.is_active, c.is_active)`)
    .select(sql<string>`coalesce(s.id, c.id)`.as('id'))
    .executeTakeFirst();
  if (client === undefined) return;
  const conflict = taken('source', `The ${type} is a client already.`);
  if (!(await decideModuleAccess(tx, tx.actor, tx.actor, 'client:read')).allowed) throw conflict;
  throw new Problem({
    code: conflict.code,
    detail: conflict.message,
    errors: conflict.errors,
    members: { existing: { client_id: client.id, is_deleted: false, restore: null } },
  });
}
