import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { recordAct } from '../account-act/account-act.repository.ts';
import type { ActAuthority } from '../account-act/account-act.repository.ts';
import { allDeciders } from './decider.queries.ts';

/**
 * Makes a change of a role and keeps that the actor has given the right to decide to everybody who holds it only since then
 * (R1). Call it under `lockRights`.
 *
 * @param detail what people read of the act, e.g. the code of the role.
 * @param authority the approved request that the change is made on, if any.
 */
export async function withNewDeciders<Result>(
  tx: Tx,
  detail: string,
  authority: ActAuthority | null,
  change: () => Promise<Result>,
): Promise<Result> {
  const before = new Set(await allDeciders(tx, tx.actor));
  const result = await change();
  for (const target_id of await allDeciders(tx, tx.actor)) {
    if (!before.has(target_id)) recordAct(tx, { target_id, kind: 'grant', detail }, authority);
  }
  return result;
}
