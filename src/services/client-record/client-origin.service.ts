import { sql } from 'kysely';
import { can } from '../../domain/identity/access.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { unknownReference } from '../../platform/input-issues.ts';
import { taken } from '../../platform/problem.ts';
import { assertAccess, assertAllowed } from '../assignment/index.ts';
import type { ConversionSource } from './client-conversion.payload.ts';
import { conflictWith, seesClients } from './client-conflict.service.ts';

/** What a contact or a prospect says of somebody. */
interface OriginValues {
  readonly name: string;
  readonly company: string | null;
  readonly email: string | null;
  readonly phone: string | null;
}

/**
 * Locks what a client is to be made of. Two that are made of one wait for each other, so that the second learns of the first.
 *
 * @param pointer of the member that names it.
 * @throws Problem 403 for a contact that the actor may not see, 422 for what is not there, 409 for what is a client already, or part
 *   of one by a merge; whoever may see clients is told which it is.
 */
export async function lockOrigin(tx: Tx, origin: ConversionSource, pointer: string): Promise<OriginValues> {
  const values = await (origin.type === 'contact' ? lockContact(tx, origin.id) : lockProspect(tx, origin.id));
  if (values === undefined) throw unknownReference(pointer, origin.type);
  await assertNotConverted(tx, origin, pointer.split('/')[1] ?? origin.type);
  return values;
}

async function lockContact(tx: Tx, id: string): Promise<OriginValues | undefined> {
  await assertAccess(tx, tx.actor, 'contact:read', { type: 'contact', id });
  return tx.sql
    .selectFrom('contacts')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(['name', 'company', 'email', 'phone_number as phone'])
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** Somebody else's prospect is told like one that is not there (S0-11). */
async function lockProspect(tx: Tx, id: number): Promise<OriginValues | undefined> {
  assertAllowed(can(tx.actor, 'tracker:use'), 'tracker:use');
  return tx.sql
    .selectFrom('admin_prospects')
    .where('id', '=', id)
    .where('user_id', '=', tx.actor.user_id)
    .where('deleted_at', 'is', null)
    .select(['name', 'company', 'email', 'phone'])
    .forNoKeyUpdate()
    .executeTakeFirst();
}

async function assertNotConverted(tx: Tx, { type, id }: ConversionSource, field: string): Promise<void> {
  const client = await tx.sql
    .selectFrom('clients as c')
    .leftJoin('clients as s', 's.id', 'c.merged_into_id')
    .where(sql.ref(type === 'contact' ? 'c.contact_id' : 'c.prospect_id'), '=', id)
    .where(sql<boolean>`coalesce(s.is_active, c.is_active)`)
    .select(sql<string>`coalesce(s.id, c.id)`.as('id'))
    .executeTakeFirst();
  if (client === undefined) return;
  const detail = `The ${type} is a client already.`;
  if (!(await seesClients(tx))) throw taken(field, detail);
  throw conflictWith(field, detail, { client_id: client.id, is_deleted: false, restore: null });
}
