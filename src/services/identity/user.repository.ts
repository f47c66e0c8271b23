import { unknownReference } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/**
 * @param pointer where the body names the person; null: the address of the request does.
 * @throws Problem `resource.not-found` for a person who is not there or was deleted, `request.invalid` where the body names one.
 */
export async function assertUserExists(tx: Tx, userId: string, pointer: string | null = null): Promise<void> {
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '<>', 'deleted')
    .select('id')
    .executeTakeFirst();
  if (user === undefined) throw unknownReference(pointer, 'user');
}

/**
 * @param exceptId the account that may have it already.
 * @throws Problem `resource.conflict` when another account of the tenant has the address or number.
 */
export async function assertAddressUnused(
  tx: Tx,
  column: 'email' | 'phone_number',
  value: string | null | undefined,
  exceptId?: string,
): Promise<void> {
  if (value == null) return;
  const owner = await tx.sql
    .selectFrom('users')
    .where(column, '=', value)
    .where('status', '<>', 'deleted')
    .select('id')
    .executeTakeFirst();
  if (owner === undefined || owner.id === exceptId) return;
  const errors = [{ pointer: `/${column}`, detail: 'belongs to another account' }];
  throw new Problem({ code: 'resource.conflict', detail: 'Another account has this address or number.', errors });
}
