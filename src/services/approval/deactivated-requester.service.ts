import { WorkflowNotFoundError } from '@temporalio/client';
import { query } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { TemporalClient } from '../../platform/temporal/temporal-client.ts';

interface Deps {
  readonly db: Database;
  readonly temporal: TemporalClient;
}

/**
 * Asks the workflows of waiting requests whose requester is not active any more to end. They alone write their rows, so
 * this comes after the transaction that closed the account; the Schedule `approval-sweep` does the same for what was
 * missed.
 *
 * @throws Problem `service.unavailable` when Temporal is away; the account stays closed.
 */
export async function cancelRequestsOfLeavers({ db, temporal }: Deps, scope: ReadScope): Promise<void> {
  const waiting = await read(
    db,
    scope,
    query
      .selectFrom('admin_approvals as a')
      .innerJoin('users as u', 'u.id', 'a.requested_by')
      .where('a.status', 'in', ['pending', 'approved'])
      .where('u.status', '<>', 'active')
      .select('a.workflow_id'),
  );
  for (const { workflow_id } of waiting) await cancelWorkflow(temporal, workflow_id);
}

/** Asks a workflow to end; one that has ended already needs no asking. */
export async function cancelWorkflow(temporal: TemporalClient, workflowId: string): Promise<void> {
  await temporal.call(async (client) => {
    try {
      await client.workflow.getHandle(workflowId).cancel();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  });
}
