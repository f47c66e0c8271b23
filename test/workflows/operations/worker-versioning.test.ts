import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { quietTemporal, uniqueTaskQueue } from '../../support/temporal/temporal.ts';

let app: TestApi;
let provider: SignedIn;
let drive: ApprovalDriver;
const workers: RunningWorker[] = [];
const deployment = uniqueTaskQueue('deployment');

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({ TEMPORAL_DEPLOYMENT_NAME: deployment });
  provider = await app.signIn('role-provider-admin');
  drive = approvalDriver(app, await app.signIn('role-super-admin'));
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  await app.close();
});

/** The steps of docs/runbooks/deploy-workers.md: start the new version, wait until it polls, make it current. */
async function deploy(buildId: string): Promise<void> {
  workers.push(await startWorker({ ...app.env, TEMPORAL_WORKER_BUILD_ID: buildId }, app.api.deps.log));
  const service = app.api.deps.temporal.client.workflowService;
  const makeCurrent = () =>
    service
      .setWorkerDeploymentCurrentVersion({ namespace: app.env.TEMPORAL_NAMESPACE, deploymentName: deployment, buildId })
      .then(
        () => 'current',
        (error: unknown) => String(error),
      );
  await eventually(makeCurrent, (answer) => answer === 'current', 60_000);
}

/** Build id of the workers that a request's workflow belongs to. */
async function versionOf(id: string): Promise<string | null | undefined> {
  const handle = app.api.deps.temporal.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));
  const { raw } = await handle.describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
}

describe('worker versioning', () => {
  it('a waiting approval ends on the version that it began on; new ones begin on the current version', async () => {
    await deploy('1.0.0');
    const older = await drive.opened('versioned-older');
    await deploy('1.1.0');
    const newer = await drive.opened('versioned-newer');
    for (const request of [older, newer]) {
      expect((await drive.approve(provider, request)).status).toBe(200);
      await drive.settled(request.id, 'executed');
    }
    // Pollers of every version count (T-47).
    expect((await app.call('GET', '/health/ready')).body.checks.worker).toBe('up');
    expect(await versionOf(older.id)).toBe('1.0.0');
    expect(await versionOf(newer.id)).toBe('1.1.0');
  });
});
