import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { verifyExportFile } from '../../../src/services/audit/audit-export-verification.service.ts';
import { createCheckpointSigner, originOfChain, parseVerifier } from '../../../src/services/audit/signed-note.ts';
import { parseKeyList } from '../../../src/platform/security/keyring.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { auditCheckpointWorkflowType } from '../../../src/workflows/audit/audit-checkpoint.contract.ts';
import { auditRetentionWorkflowType } from '../../../src/workflows/audit/audit-retention.contract.ts';
import type { AuditRetentionInput, AuditRetentionResult } from '../../../src/workflows/audit/audit-retention.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { actorOf, entryOf } from '../../support/audit-bench.ts';
import { eventually } from '../../support/eventually.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { holdLocks, lockWaiters } from '../../support/row-locks.ts';

let folder: string;
let app: TestApi;
let admin: SignedIn;
let worker: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-audit-retention-'));
  app = await startTestApi({
    WORKFLOW_BUNDLE: workflowBundlePath(),
    AUDIT_WITNESS_DIR: join(folder, 'witness'),
    AUDIT_ARCHIVE_DIR: join(folder, 'archive'),
  });
  worker = await startWorkerProcess(app.env);
  admin = await app.signIn('role-super-admin');
  const actor = actorOf(defaultTenantId, { user_id: admin.user_id });
  await unitOfWork(app.api.deps.db, actor, async (tx) => {
    for (let place = 0; place < 300; place += 1) tx.audit(entryOf(place));
  });
}, 60_000);

afterAll(async () => {
  await killProcess(worker);
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = async (path: string) => (await app.call('GET', path, { token: admin.token })).body;

function start(type: string, args: unknown[]) {
  const { client, taskQueue } = app.api.deps.temporal;
  return client.workflow.start(type, { taskQueue, workflowId: `${type}-${taskQueue}-${Date.now()}`, args });
}

describe('retention as a workflow', () => {
  it('completes a segment when the worker is killed between archive and drop', async () => {
    await (await start(auditCheckpointWorkflowType, [])).result();
    expect(await readdir(join(folder, 'witness', defaultTenantId))).toHaveLength(1);
    const held = await holdLocks(app, 'select 1 from audit_heads where chain_id = $1 for update', [defaultTenantId]);

    const run = await start(auditRetentionWorkflowType, [{ keep_days: 0 } satisfies AuditRetentionInput]);
    await eventually(() => lockWaiters(app), (count) => count > 0, 40_000);
    await killProcess(worker);
    await held.release();
    worker = await startWorkerProcess(app.env);
    const result: AuditRetentionResult = await run.result();
    expect(result).toEqual({ dropped: 1 });

    const { items } = await get('/admin/audit-segments');
    expect(items).toMatchObject([{ from_seq: 1, to_seq: 256, witness: 'folder' }]);
    const [{ archive_name: name }] = items;
    const { public_keys } = await get('/admin/audit-logs/checkpoints/latest');
    const verifiers = public_keys.map(parseVerifier);
    expect(await verifyExportFile(join(folder, 'archive', name), { verifiers })).toMatchObject({ valid: true, rows: 256 });
    expect(await get('/admin/audit-logs/verify')).toMatchObject({ valid: true, findings: [] });
    expect((await get('/admin/audit-logs?limit=1&event=audit.segment-drop')).items).toHaveLength(1);
  }, 90_000);

  it('lists the dropped segments and exports the remaining rows with a proof', async () => {
    const { items } = await get('/admin/audit-logs?limit=100');
    expect(Math.min(...items.map(({ seq }: { seq: number }) => seq))).toBeGreaterThan(256);
    const text: string = await get('/admin/audit-logs/export?format=jsonl');
    expect(text).toContain('"after_seq":"256"');
    const signer = createCheckpointSigner(parseKeyList(app.env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
    const path = join(folder, 'rest.jsonl');
    await writeFile(path, text);
    const report = await verifyExportFile(path, { verifiers: signer.verifiers(originOfChain(defaultTenantId)) });
    expect(report).toMatchObject({ valid: true, complete: false });
  });

  it('requires the permission', async () => {
    const agent = await app.signIn('role-junior-agent');
    for (const path of ['/admin/audit-segments', '/admin/audit-verifications']) {
      expect((await app.call('GET', path, { token: agent.token })).status).toBe(403);
    }
    expect((await app.call('GET', '/admin/audit-segments?chain=platform', { token: admin.token })).body.items).toEqual([]);
  });
});
