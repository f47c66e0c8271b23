import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { cancelApproval } from './approval.client.ts';

/**
 * Asks the workflows of waiting requests whose requester is not active any more to end. They alone write their rows, so
 * this comes after the transaction that closed the account; the Schedule `approval-sweep` does the same for what was
 * missed.
 *
 * @throws Problem `service.unavailable` when Temporal is away; the account stays closed.
 */
export async function cancelRequestsOfDeactivated(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  scope: ReadScope,
): Promise<void> {
  const waiting = await read(
    deps.db,
    scope,
    kysely
      .selectFrom('admin_approvals as a')
      .innerJoin('users as u', 'u.id', 'a.requested_by')
      .where('a.status', 'in', ['pending', 'approved'])
      .where('u.status', '<>', 'active')
      .select('a.workflow_id'),
  );
  for (const { workflow_id } of waiting) await cancelApproval(deps, workflow_id);
}
