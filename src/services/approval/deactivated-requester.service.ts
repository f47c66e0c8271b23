import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { cancelApproval } from './approval.client.ts';

/**
 * Cancels the open requests of people who are not active any more, through the workflows, which alone write the rows. So
 * it runs after the transaction that deactivated the account; the Schedule `approval-sweep` finds what was missed.
 *
 * @throws Problem `service.unavailable` while Temporal cannot be reached; the account stays deactivated.
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
