import { tenantIds } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';

const ended: readonly string[] = ['executed', 'rejected', 'cancelled', 'expired', 'failed'];

/** Each request has been executed exactly once, or shows how it ended, or still waits within its window. */
export async function checkApprovals(history: StormHistory): Promise<Finding> {
  const found = new Findings(3);
  const { db } = history;
  const requests = await db
    .selectFrom('admin_approvals as a')
    .where('a.tenant_id', 'in', tenantIds(history))
    .select((eb) => [
      'a.id',
      'a.status',
      'a.executed_at',
      'a.closed_at',
      'a.review_due_at',
      'a.failure_code',
      eb
        .selectFrom('admin_flag_history as f')
        .whereRef('f.approval_id', '=', 'a.id')
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .as('changes'),
      eb
        .selectFrom('admin_approval_history as h')
        .whereRef('h.approval_id', '=', 'a.id')
        .where('h.event', '=', 'execute')
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .as('executions'),
      eb
        .selectFrom('admin_approval_decisions as d')
        .whereRef('d.approval_id', '=', 'a.id')
        .where('d.verdict', '=', 'approved')
        .where('d.voided_at', 'is', null)
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .as('approvals'),
    ])
    .execute();
  const counts = new Map<string, number>();
  for (const request of requests) {
    const { id, status } = request;
    const [changes, executions, approvals] = [Number(request.changes), Number(request.executions), Number(request.approvals)];
    counts.set(status, (counts.get(status) ?? 0) + 1);
    const shown = () => `request ${id} is ${status}, with ${approvals} approvals, ${executions} executions, ${changes} changes`;
    const isExecuted = status === 'executed';
    found.expect(changes === (isExecuted ? 1 : 0), isExecuted ? 'executed, but not one change' : 'a change of a request that was not executed', shown);
    found.expect(executions === (isExecuted ? 1 : 0), 'executions do not fit the state', shown);
    found.expect((request.executed_at !== null) === isExecuted, 'executed_at does not fit the state', shown);
    found.expect(!isExecuted || approvals >= 1, 'executed without an approval', shown);
    found.expect(status !== 'approved', 'approved and neither executed nor ended', shown);
    found.expect(ended.includes(status) === (request.closed_at !== null), 'closed_at does not fit the state', shown);
    found.expect(status !== 'failed' || request.failure_code !== null, 'failed without a reason', shown);
    found.expect(status !== 'pending' || Date.parse(request.review_due_at) > Date.now(), 'pending after its window', shown);
  }
  found.figure('requests', requests.length);
  for (const [status, n] of counts) found.figure(status, n);
  return found.finding;
}
