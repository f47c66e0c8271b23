import type { Actor } from '../../domain/actor.ts';
import { query } from '../../entities/schema.ts';
import { read } from '../../platform/read.ts';
import { approvalWorkflowId } from '../../workflows/approval.contract.ts';
import type { ApiDeps } from '../deps.ts';

/**
 * Asks the workflows of a person's waiting requests to end (capability 39). They alone write their rows, so this comes
 * after the account was closed; a Temporal that is away is logged and does not open the account again.
 */
export async function cancelApprovalsOf(
  deps: Pick<ApiDeps, 'db' | 'temporal' | 'log'>,
  actor: Actor,
  userId: string,
): Promise<void> {
  const waiting = await read(
    deps.db,
    actor,
    query
      .selectFrom('admin_approvals')
      .where('requested_by', '=', userId)
      .where('status', 'in', ['pending', 'approved'])
      .select('id'),
  );
  for (const { id } of waiting) {
    try {
      await deps.temporal.call((client) => client.workflow.getHandle(approvalWorkflowId(actor.tenant_id, id)).cancel());
    } catch (error) {
      deps.log.warn({ err: error, approval_id: id }, 'a request of a person who left could not be cancelled');
    }
  }
}
