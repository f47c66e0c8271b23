import type { PreparedAction } from '../actions/action.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';

/** The same transaction, acting as the requester, in whose name the change is made and whose rights are checked. */
function asRequester(tx: Tx, userId: string): Tx {
  return { ...tx, actor: { ...tx.actor, user_id: userId } };
}

/**
 * Refuses an approval of what was built on another version than the one that is there (T-13): nobody approves in vain. It
 * takes no locks, so an approval never waits for whoever is changing the same thing.
 *
 * @throws Problem `approval.stale` with both versions.
 */
export async function assertNotStale(tx: Tx, { basis }: PreparedAction): Promise<void> {
  if (basis === null) return;
  const [present] = await read(tx, tx.actor, basis.query);
  const { base_version } = basis;
  const current_version = present?.version ?? null;
  if (base_version === current_version) return;
  throw new Problem({
    code: 'approval.stale',
    detail:
      basis.detail ??
      'What this would change has changed since: ' +
      `${base_version === null ? 'nothing' : `version ${base_version}`} was read, ` +
      `${current_version === null ? 'nothing' : `version ${current_version}`} is there.`,
    members: { base_version, current_version },
  });
}

/**
 * {@link assertNotStale}, and whatever else the change itself would be refused for now. For a transaction that is rolled back:
 * it locks what the change would touch.
 *
 * @throws Problem `approval.stale` with what the change itself said.
 */
export async function assertStillPossible(tx: Tx, prepared: PreparedAction, requesterId: string): Promise<void> {
  await assertNotStale(tx, prepared);
  try {
    await prepared.check(asRequester(tx, requesterId));
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500 || error.code === 'approval.payload-changed') throw error;
    throw new Problem({
      code: 'approval.stale',
      detail: `This could not be made any more. ${error.message}`,
      members: { cause_code: error.code },
    });
  }
}
