import { z } from 'zod';
import { dialledNumber } from '../../domain/client-record/dialled-number.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { inputIssues, invalidInput } from '../../platform/input-issues.ts';
import type { ClientConversion } from './client-conversion.payload.ts';
import { lockOrigin } from './client-origin.service.ts';
import { clientFields } from './client.payload.ts';
import { insertClient } from './client.service.ts';

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
  const origin = await lockOrigin(tx, source, '/source/id');
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
  return insertClient(tx, { ...values, ...parsed.data }, link, nowMs);
}

/** Fields that were left empty are texts without a character in some rows. */
function given(text: string | null): string | null {
  return text === null || text.trim() === '' ? null : text.trim();
}
