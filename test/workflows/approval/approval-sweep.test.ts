import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { approvalSweepWorkflowType } from '../../../src/workflows/approval/approval-sweep.contract.ts';
import type { ApprovalSweepResult } from '../../../src/workflows/approval/approval-sweep.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal } from '../../support/temporal/temporal.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi();
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  provider = await app.signIn('role-provider-admin');
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

const handleOf = (id: string) =>
  app.api.deps.temporal.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));

let sweeps = 0;

function sweep(): Promise<ApprovalSweepResult> {
  sweeps += 1;
  const { client, taskQueue } = app.api.deps.temporal;
  const workflowId = `approval-sweep-${taskQueue}-${sweeps}`;
  return client.workflow.execute(approvalSweepWorkflowType, { taskQueue, workflowId, args: [] });
}

describe('the sweep of approvals', () => {
  it('closes a request whose workflow was terminated, audits it, notifies its author, and leaves other requests alone', async () => {
    const [lost, alive] = [await drive.opened('swept-lost'), await drive.opened('swept-alive')];
    await handleOf(lost.id).terminate('an operator was in a hurry');
    expect(await sweep()).toEqual({ checked: 2, closed: 1, cancelled: 0 });
    expect((await drive.detail(lost.id)).status).toBe('cancelled');
    expect((await drive.detail(alive.id)).status).toBe('pending');
    expect(await drive.events(lost.id)).toEqual(['opened', 'abort']);
    const audited = await asSuperuser(
      app,
      "select new_values ->> 'workflow_status' as was from audit_logs where resource_id = $1 and event = 'approval.abort'",
      [lost.id],
    );
    expect(audited).toEqual([{ was: 'TERMINATED' }]);
    const tellings = () =>
      asSuperuser(app, 'select 1 from notification_deliveries where user_id = $1 and event_key = $2', [
        admin.user_id,
        `approval/${lost.id}/cancelled/1`,
      ]);
    await eventually(tellings, (rows) => rows.length === 1);
    expect(await sweep()).toEqual({ checked: 1, closed: 0, cancelled: 0 });
  });

  it('cancels the open requests of deactivated users that were missed', async () => {
    const request = await approvalDriver(app, provider).opened('swept-leaver');
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [provider.user_id]);
    expect((await sweep()).cancelled).toBe(1);
    await drive.settled(request.id, 'cancelled');
  });
});
