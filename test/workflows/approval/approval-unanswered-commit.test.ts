import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import {
  approvalStartOptions,
  approvalWorkflowId,
  approvalWorkflowType,
  stateQuery,
} from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { createApproval, createApprovalPayload } from '../../support/factories/approval.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { startCommitProxy } from '../../support/servers/commit-proxy.ts';
import type { CommitProxy } from '../../support/servers/commit-proxy.ts';
import { startCuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import type { CuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

let app: TestApi;
let commits: CommitProxy;
/** The worker's way to the database. */
let way: CuttableProxy;
let worker: InProcessWorker;
let approver: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  app = await startTestApi();
  const address = new URL(app.env.DATABASE_URL);
  commits = await startCommitProxy({ host: address.hostname, port: Number(address.port) });
  way = await startCuttableProxy(commits);
  address.host = `${way.host}:${way.port}`;
  worker = await startInProcessWorker(app, { env: { ...app.env, DATABASE_URL: address.href } });
  approver = await app.signIn('role-super-admin', 1);
  drive = approvalDriver(app, await app.signIn('role-super-admin'));
});

beforeEach(() => way.mend());

afterAll(async () => {
  await worker.close();
  await app.close();
  await way.close();
  await commits.close();
});

/** The next command of the worker is committed, nobody tells it so, and it cannot ask until the way is mended. */
function loseTheAnswer(): void {
  commits.cutNext('after-commit', () => way.cut());
}

describe('T-1: a command that the database has committed and not answered', () => {
  it('leaves a request open that was said to be opened', async () => {
    const key = uniqueName('flag');
    await drive.productionFlag(key);
    loseTheAnswer();
    const opened = await drive.requestToggle(key);
    expect(opened).toMatchObject({ status: 202, body: { status: 'pending' } });
    way.mend();
    const approved = await drive.approve(approver, opened.body);
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });
    await drive.settled(opened.body.id, 'executed');
  });

  it('lets an approval that was said to be given be followed by the change', async () => {
    const request = await drive.opened(uniqueName('flag'));
    loseTheAnswer();
    const approved = await drive.approve(approver, request);
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });
    way.mend();
    await drive.settled(request.id, 'executed');
    expect(await drive.events(request.id)).toEqual(['opened', 'approve', 'execute']);
  });

  it('leaves a request open whose workflow has heard nothing of its opening', async () => {
    const { id, workflow_id } = await requestInRows();
    const { client, taskQueue } = app.api.deps.temporal;
    const policy = { steps: [], review_window_seconds: 3_600, execution_window_seconds: 3_600, reminder_interval_seconds: 0, bypass_review_seconds: 3_600, bypassers: [] };
    const requester = { tenant_id: defaultTenantId, user_id: approver.user_id, session_id: approver.session_id, request_id: null };
    const input = { requester, approval_id: id, action: 'flag.toggle', environment: null, digest: '0'.repeat(64), reason: null, policy };
    await client.workflow.start(approvalWorkflowType, { ...approvalStartOptions({ ...input, open_within_ms: 500 }), taskQueue });
    const handle = client.workflow.getHandle(workflow_id);
    await eventually(
      () => handle.query(stateQuery),
      ({ digest }) => digest !== input.digest,
    );
    await handle.cancel();
    await drive.settled(id, 'cancelled');
    expect(await handle.result()).toEqual({ approval_id: id, status: 'cancelled' });
  });
});

/** A request that was written down, whose workflow has not begun. */
async function requestInRows(): Promise<{ id: string; workflow_id: string }> {
  const digest = '1'.repeat(64);
  await createApprovalPayload(app, { digest });
  const id = randomUUID();
  return createApproval(app, { id, digest, requested_by: approver.user_id, workflow_id: approvalWorkflowId(defaultTenantId, id) });
}
