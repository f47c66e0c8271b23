import { sql } from 'kysely';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { recordAct } from '../account-act/account-act.repository.ts';
import type { ActAuthority } from '../account-act/account-act.repository.ts';
import { activeRoles } from './active-role.queries.ts';
import { allDeciders, eligibleRoles } from './decider.queries.ts';

/**
 * Makes a change of a role and keeps that the actor has given a say in approvals to everybody who has it only since then: the
 * right to decide, or a role that a policy names (R1). Call it under `lockRights`.
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
  const before = await sayOf(tx);
  const result = await change();
  for (const [target_id, say] of await sayOf(tx)) {
    const had = before.get(target_id);
    if (say.some((code) => had?.includes(code) !== true)) recordAct(tx, { target_id, kind: 'grant', detail }, authority);
  }
  return result;
}

/** By what each person takes part in approvals: the codes of roles that policies name, and `null` for the right to decide. */
async function sayOf(tx: Tx): Promise<Map<string, (string | null)[]>> {
  const eligible = [...(await eligibleRoles(tx, tx.actor))];
  const { rows } = await tx.sql.executeQuery(activeRoles().where('r.code', '=', sql<string>`any(${eligible}::text[])`).compile());
  const deciding = (await allDeciders(tx, tx.actor)).map((user_id) => ({ user_id, code: null }));
  const held = Map.groupBy([...rows, ...deciding], ({ user_id }) => user_id);
  return new Map([...held].map(([user_id, said]) => [user_id, said.map(({ code }) => code)]));
}
