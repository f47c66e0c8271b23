import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { auditCheckpointWorkflowType } from '../../../src/workflows/audit/audit-checkpoint.contract.ts';
import { auditVerificationWorkflowType, defaultVerification } from '../../../src/workflows/audit/audit-verification.contract.ts';
import { alertEvaluationWorkflowType } from '../../../src/workflows/health/alert-evaluation.contract.ts';
import { healthCollectionWorkflowType } from '../../../src/workflows/health/health-collection.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-damage-'));
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), AUDIT_CHECKPOINT_DIR: folder });
  worker = await startWorker(app.env);
  admin = await app.signIn('role-super-admin');
  await createNotificationChannel(app, { events: ['audit.chain-damaged', 'alert.firing', 'alert.resolved'] });
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

let runs = 0;
function execute(type: string, args: unknown[] = []) {
  const { client, taskQueue } = app.api.deps.temporal;
  runs += 1;
  return client.workflow.execute(type, { taskQueue, workflowId: `${type}-${taskQueue}-${runs}`, args });
}
const verifyAll = () => execute(auditVerificationWorkflowType, [defaultVerification]);
const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;
const audit = async () =>
  (await get('/admin/system-health')).components.find(({ component }: { component: string }) => component === 'audit');
/** What the two Schedules of the monitoring do in a minute. */
async function watch(): Promise<{ name: string; status: string; severity: string }[]> {
  await execute(healthCollectionWorkflowType);
  await execute(alertEvaluationWorkflowType);
  return (await get('/admin/alerts')).items.filter(({ name }: { name: string }) => name === 'Audit damaged');
}
const told = (event: string) =>
  asSuperuser<{ subject: string }>(app, 'select subject from notification_deliveries where event = $1', [event]);
/** Changes the private parts behind every trigger. */
const replaceInPrivate = (from: string, to: string, where: string) =>
  asSuperuser(
    app,
    `do $$ begin
      set local session_replication_role = replica;
      update audit_logs set private = replace(private::text, '${from}', '${to}')::json
      where chain_id = '${defaultTenantId}' and ${where};
    end $$`,
  );

describe('T-18: damage of the audit', () => {
  it('an anchored chain is up, and raises nothing', async () => {
    await execute(auditCheckpointWorkflowType);
    await verifyAll();
    expect(await watch()).toEqual([]);
    expect(await audit()).toMatchObject({ status: 'up', reason: null });
    const values = (await audit()).metrics.map(({ metric, value }: { metric: string; value: number }) => [metric, value]);
    expect(values).toEqual(expect.arrayContaining([['audit.intact', 1], ['audit.unanchored', 0]]));
  });

  it('found while new rows are to be signed takes the component down at once, notifies and fires its alert', async () => {
    await app.signIn('role-super-admin');
    await replaceInPrivate('"salt"', '"sAlt"', `seq = (select max(seq) from audit_logs where chain_id = '${defaultTenantId}')`);
    await expect(execute(auditCheckpointWorkflowType)).rejects.toThrow(WorkflowFailedError);
    expect(await audit()).toMatchObject({ status: 'down', reason: expect.stringMatching(/does not verify from entry \d+ on/) });
    await eventually(() => told('audit.chain-damaged'), (found) => found.length === 1);
    expect(await watch()).toMatchObject([{ status: 'firing', severity: 'critical' }]);
    await eventually(() => told('alert.firing'), (found) => found.some(({ subject }) => subject.includes('Audit damaged')));

    // The next minute finds the same, which is recorded once.
    await expect(execute(auditCheckpointWorkflowType)).rejects.toThrow(WorkflowFailedError);
    const { items } = await get('/admin/audit-verifications');
    expect(items.filter(({ outcome }: { outcome: string }) => outcome === 'damaged')).toHaveLength(1);
  });

  it('is over when a whole verification finds the chain as it was written', async () => {
    await replaceInPrivate('"sAlt"', '"salt"', 'true');
    await execute(auditCheckpointWorkflowType);
    await verifyAll();
    expect(await watch()).toMatchObject([{ status: 'resolved' }]);
    expect(await audit()).toMatchObject({ status: 'up' });
  });
});
