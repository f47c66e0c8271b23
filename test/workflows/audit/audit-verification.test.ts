import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { actorOfRef, defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { auditVerificationWorkflowType } from '../../../src/workflows/audit/audit-verification.contract.ts';
import type { AuditVerificationInput, AuditVerificationResult } from '../../../src/workflows/audit/audit-verification.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver, OpenedRequest } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;
let request: OpenedRequest;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env);
  admin = await app.signIn('role-super-admin');
  provider = await app.signIn('role-provider-admin');
  drive = approvalDriver(app, admin);
  request = await drive.opened('verified.flag');
  await drive.approve(provider, request);
  await drive.settled(request.id, 'executed');
  await createNotificationChannel(app, { events: ['audit.decisions-differ', 'audit.chain-damaged'] });
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

/** The decisions of the test are seconds old, so nothing is left to a later run. */
const input: AuditVerificationInput = { compare_back_ms: 3_600_000, settle_ms: 0 };

function run(): Promise<AuditVerificationResult> {
  const { client, taskQueue } = app.api.deps.temporal;
  const workflowId = `audit-verification-${taskQueue}-${Date.now()}`;
  return client.workflow.execute(auditVerificationWorkflowType, { taskQueue, workflowId, args: [input] });
}

async function newest() {
  const { body } = await app.call('GET', '/admin/audit-verifications?limit=1', { token: admin.token });
  return body.items[0];
}

const told = (event: string) =>
  eventually(
    () => asSuperuser<{ subject: string }>(app, 'select subject from notification_deliveries where event = $1', [event]),
    (rows) => rows.length === 1,
  );

describe('verification of the audit and comparison with Temporal', () => {
  it('finds every decision on both sides, and records the verification', async () => {
    expect(await run()).toEqual({ intact: 1 });
    expect(await newest()).toMatchObject({
      outcome: 'intact',
      state: 'unanchored',
      first_bad_seq: null,
      decisions_compared: 1,
      differences: [],
      findings: [],
    });
    const { body } = await app.call('GET', '/admin/audit-logs?event=audit.verify', { token: admin.token });
    expect(body.items).toHaveLength(1);
  });

  it('notifies of a decision that Temporal does not have', async () => {
    const workflowId = approvalWorkflowId(defaultTenantId, request.id);
    const forger = { tenant_id: defaultTenantId, user_id: admin.user_id, session_id: null, request_id: null };
    await unitOfWork(app.api.deps.db, actorOfRef(forger, workflowId), async (tx) => {
      tx.audit({ event: 'approval.approve', action: 'update', resource_type: 'approval', resource_id: request.id });
    });
    const failure: unknown = await run().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect(await newest()).toMatchObject({
      outcome: 'decisions_differ',
      differences: [{ workflow_id: workflowId, verdict: 'approve', user_id: admin.user_id, missing_in: 'temporal' }],
    });
    await told('audit.decisions-differ');
  });

  it('notifies of an edited entry', async () => {
    await asSuperuser(
      app,
      `do $$ begin
        set local session_replication_role = replica;
        update audit_logs set entry = replace(entry::text, 'approval.approve', 'approval.reject')::json
        where event = 'approval.approve' and user_id = '${provider.user_id}';
      end $$`,
    );
    await expect(run()).rejects.toThrow(WorkflowFailedError);
    const found = await newest();
    expect(found).toMatchObject({ outcome: 'damaged', state: 'damaged' });
    expect(found.findings[0]).toMatchObject({ kind: 'entry', seq: found.first_bad_seq });
    await told('audit.chain-damaged');
  });
});
