import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { publishedNotes } from '../../../src/services/audit/checkpoint-file.ts';
import { createCheckpointSigner, openCheckpoint, originOfChain } from '../../../src/services/audit/signed-note.ts';
import { parseKeyList } from '../../../src/platform/security/keyring.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { auditCheckpointWorkflowType } from '../../../src/workflows/audit/audit-checkpoint.contract.ts';
import type { AuditCheckpointResult } from '../../../src/workflows/audit/audit-checkpoint.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';
import { latestCheckpoint } from '../../../src/services/audit/audit-checkpoint.queries.ts';

let app: TestApi;
let worker: RunningWorker;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-checkpoints-'));
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), AUDIT_CHECKPOINT_DIR: folder });
  worker = await startWorker(app.env);
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(): Promise<AuditCheckpointResult> {
  const { client, taskQueue } = app.api.deps.temporal;
  const workflowId = `audit-checkpoint-${taskQueue}-${Date.now()}`;
  return client.workflow.execute(auditCheckpointWorkflowType, { taskQueue, workflowId, args: [] });
}

describe('the checkpoint workflow (S2-73)', () => {
  it('signs every chain that has grown and writes the note outside the database', async () => {
    await app.signIn('role-super-admin');
    expect(await run()).toEqual({ sealed: 1, failed: 0 });
    const first = await latestCheckpoint(app.api.deps.db, defaultTenantId);
    await app.signIn('role-super-admin');
    await run();
    const second = await latestCheckpoint(app.api.deps.db, defaultTenantId);
    expect(second?.size).toBe((first?.size ?? 0) + 1);
    const notes = await publishedNotes(folder, defaultTenantId);
    expect(notes).toEqual([first?.note, second?.note]);
    const signer = createCheckpointSigner(parseKeyList(app.env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
    const verifiers = signer.verifiers(originOfChain(defaultTenantId));
    expect(notes.map((note) => openCheckpoint(note, verifiers)?.size)).toEqual([first?.size, second?.size]);
  });

  it('fails visibly, notifies people and signs nothing when a chain is damaged', async () => {
    await createNotificationChannel(app, { events: ['audit.chain-damaged'] });
    await app.signIn('role-super-admin');
    const before = await latestCheckpoint(app.api.deps.db, defaultTenantId);
    await asSuperuser(
      app,
      `do $$ begin
        set local session_replication_role = replica;
        update audit_logs set private = '{}' where seq = (select max(seq) from audit_logs);
      end $$`,
    );
    const failure: unknown = await run().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect(failure).toMatchObject({ cause: { type: 'audit.chain-damaged' } });
    expect(await latestCheckpoint(app.api.deps.db, defaultTenantId)).toEqual(before);
    const deliveries = () => asSuperuser(app, "select event from notification_deliveries where event = 'audit.chain-damaged'");
    await eventually(deliveries, (told) => told.length === 1);
  });
});
