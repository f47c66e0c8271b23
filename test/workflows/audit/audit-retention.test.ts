import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ScheduleNotFoundError } from '@temporalio/client';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { parseVerifier } from '../../../src/services/audit/signed-note.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { auditCheckpointWorkflowType } from '../../../src/workflows/audit/audit-checkpoint.contract.ts';
import { auditRetentionWorkflowType } from '../../../src/workflows/audit/audit-retention.contract.ts';
import type { AuditRetentionInput } from '../../../src/workflows/audit/audit-retention.contract.ts';
import { retiredSchedules, schedules } from '../../../src/workflows/shared/schedules.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { actorOf, entryOf } from '../../support/audit-bench.ts';
import { eventually } from '../../support/eventually.ts';
import { inThePast, runRetention } from '../../support/retention.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

let folder: string;
let app: TestApi;
let admin: SignedIn;
let worker: RunningWorker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-audit-retention-'));
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), AUDIT_CHECKPOINT_DIR: join(folder, 'checkpoints') });
  const { client, taskQueue } = app.api.deps.temporal;
  // As the release before has left it.
  for (const scheduleId of retiredSchedules) {
    await client.schedule
      .create({
        scheduleId,
        spec: { intervals: [{ every: '1 day' }] },
        action: { type: 'startWorkflow', workflowType: auditRetentionWorkflowType, taskQueue },
      })
      .catch(() => undefined);
  }
  worker = await startWorker(app.env);
  await inThePast(app, 400, async () => {
    admin = await app.signIn('role-super-admin');
    const actor = actorOf(defaultTenantId, { user_id: admin.user_id });
    await unitOfWork(app.api.deps.db, actor, async (tx) => {
      for (let place = 0; place < 300; place += 1) tx.audit(entryOf(place));
    });
  });
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;

function execute(type: string, args: unknown[]) {
  const { client, taskQueue } = app.api.deps.temporal;
  return client.workflow.execute(type, { taskQueue, workflowId: `${type}-${taskQueue}-${Date.now()}`, args });
}

describe('T-17: the worker drops no audit entries', () => {
  it('removes the Schedule that did', async () => {
    expect(schedules.map(({ scheduleId }) => scheduleId)).not.toContain('audit-retention');
    const { client } = app.api.deps.temporal;
    const describeIt = () => client.schedule.getHandle('audit-retention').describe().catch((error: unknown) => error);
    await eventually(describeIt, (found) => found instanceof ScheduleNotFoundError, 30_000);
  });

  it('ends a run of before, whatever age it was given, without dropping anything', async () => {
    await execute(auditCheckpointWorkflowType, []);
    expect(await execute(auditRetentionWorkflowType, [{ keep_days: 0 } satisfies AuditRetentionInput])).toEqual({ dropped: 0 });
    expect((await get('/admin/audit-segments')).items).toEqual([]);
    const [left] = await asSuperuser<{ first: string }>(app, 'select min(seq) as first from audit_logs where chain_id = $1', [defaultTenantId]);
    expect(left).toEqual({ first: '1' });
  });

  it('the retention process does, and the API shows what it has dropped', async () => {
    const { public_keys } = await get('/admin/audit-logs/checkpoints/latest');
    const run = await runRetention(app.database, {
      checkpoints: join(folder, 'checkpoints'),
      archive: join(folder, 'archive'),
      publicKey: public_keys[0],
    });
    expect(run).toEqual({ code: 0, output: 'Segments archived and dropped: 1.\n' });
    const { items } = await get('/admin/audit-segments');
    expect(items).toMatchObject([{ from_seq: 1, to_seq: 256, witness: 'checkpoints' }]);
    const [{ archive_name, archive_digest }] = items;
    const verifiers = public_keys.map(parseVerifier);
    expect(await verifyExportFile(join(folder, 'archive', archive_name), { verifiers })).toMatchObject({ valid: true, rows: 256 });
    await execute(auditCheckpointWorkflowType, []);
    expect(await get('/admin/audit-logs/verify')).toMatchObject({
      state: 'anchored',
      valid: true,
      findings: [],
      archive: { to_seq: 256, archive_name, archive_digest },
    });
    expect((await get('/admin/audit-logs?limit=1&event=audit.segment-drop')).items).toMatchObject([{ actor_kind: 'system' }]);

    const { items: entries } = await get('/admin/audit-logs?limit=100');
    expect(Math.min(...entries.map(({ seq }: { seq: number }) => seq))).toBeGreaterThan(256);
    const text: string = await get('/admin/audit-logs/export?format=jsonl');
    expect(text).toContain('"after_seq":"256"');
    const path = join(folder, 'rest.jsonl');
    await writeFile(path, text);
    expect(await verifyExportFile(path, { verifiers })).toMatchObject({ valid: true, complete: false });
  });

  it('requires the permission', async () => {
    const agent = await app.signIn('role-junior-agent');
    for (const path of ['/admin/audit-segments', '/admin/audit-verifications']) {
      expect((await app.call('GET', path, { token: agent.token })).status).toBe(403);
    }
    expect((await app.call('GET', '/admin/audit-segments?chain=platform', { token: admin.token })).body.items).toEqual([]);
  });
});
