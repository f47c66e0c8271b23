import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { uniqueName } from '../../support/factories/defaults.ts';
import { startCommitProxy } from '../../support/servers/commit-proxy.ts';
import type { CommitProxy } from '../../support/servers/commit-proxy.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

let temporal: OwnTemporal;
let commits: CommitProxy;
let app: TestApi;
let workers: ChildProcess[];
let approver: SignedIn;
let drive: ApprovalDriver;

/** A worker, whose way to the database may lead through the relay that loses answers. */
async function startWorkerAt(url: string): Promise<void> {
  workers.push(await startWorkerProcess({ ...app.env, DATABASE_URL: url }));
}

beforeAll(async () => {
  workers = [];
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address });
  const address = new URL(app.env.DATABASE_URL);
  commits = await startCommitProxy({ host: address.hostname, port: Number(address.port) });
  address.host = `${commits.host}:${commits.port}`;
  await startWorkerAt(address.href);
  approver = await app.signIn('role-super-admin', 1);
  drive = approvalDriver(app, await app.signIn('role-super-admin'));
}, 90_000);

afterAll(async () => {
  for (const worker of workers) await killProcess(worker);
  await app.close();
  await commits.close();
  await temporal.stop();
});

it('T-1: an approval is followed by its change though worker and Temporal died together after it was committed', async () => {
  const request = await drive.opened(uniqueName('flag'));
  // The announcement of the opening brings the row with it, and would tell the workflow by chance.
  const handle = app.api.deps.temporal.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, request.id));
  await eventually(
    () => handle.describe(),
    ({ raw }) => raw.pendingActivities?.length === 0,
  );
  let dead: Promise<unknown> = Promise.resolve();
  commits.cutNext('after-commit', () => (dead = Promise.all([...workers.map(killProcess), temporal.kill()])));
  const approving = drive.approve(approver, request);
  expect(await approving).toMatchObject({ status: 200, body: { status: 'approved' } });
  await dead;
  await temporal.restart();
  await startWorkerAt(app.env.DATABASE_URL);
  await drive.settled(request.id, 'executed', 60_000);
  expect(await drive.events(request.id)).toEqual(['opened', 'approve', 'execute']);
}, 120_000);
