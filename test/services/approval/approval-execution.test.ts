import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { Problem } from '../../../src/platform/problem.ts';
import { changeDigest } from '../../../src/services/actions/run-action.ts';
import { executeApproval } from '../../../src/services/approval/approval-execution.service.ts';
import { userDelete } from '../../../src/services/identity/user-delete.action.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { createApproval, createApprovalDecision, createApprovalPayload } from '../../support/factories/approval.ts';
import { fromNow, hour } from '../../support/factories/defaults.ts';
import { createUser } from '../../support/factories/identity.ts';
import { createNotificationChannel } from '../../support/factories/notification.ts';
import { withSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let admin: SignedIn;
let approver: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  approver = await app.signIn('role-provider-admin');
});

afterAll(async () => {
  await app.close();
});

/** An approved request to delete a user, as an execution gets it. */
async function approvedDeletion() {
  const { id: user_id } = await createUser(app);
  const payload = { user_id, version: 1, transfer_to: null, reason: null };
  const digest = changeDigest({ action: userDelete.name, environment: null, payload });
  const change = { action: userDelete.name, environment: null, digest };
  await createApprovalPayload(app, { ...change, payload: jsonb(payload) });
  const { id } = await createApproval(app, { ...change, requested_by: admin.user_id });
  await createApprovalDecision(app, { approval_id: id, digest, approver_id: approver.user_id });
  const approved = { status: 'approved', execution_due_at: fromNow(hour) } as const;
  await withSuperuser(app, (db) => db.updateTable('admin_approvals').set(approved).where('id', '=', id).execute());
  const actor = { tenant_id: defaultTenantId, user_id: admin.user_id, session_id: admin.session_id, request_id: null };
  return { user_id, attempt: { actor, approval_id: id, revision: 1, digest } };
}

/** A Temporal that cannot be reached by the first calls, and then notes what is started. */
function temporalAfter(failures: number) {
  const started: string[] = [];
  let calls = 0;
  const workflow = {
    start: async (_type: string, { workflowId }: { workflowId: string }) => void started.push(workflowId),
  };
  const call = async <Result>(work: (client: Client) => Promise<Result>): Promise<Result> => {
    calls += 1;
    if (calls <= failures) throw new Problem({ code: 'service.unavailable', detail: 'Temporal cannot be reached.' });
    return work({ workflow } as unknown as Client);
  };
  return { temporal: { ...app.api.deps.temporal, call }, started };
}

describe('what follows an approved change', () => {
  it('is started by the next run when it could not be started after the commit, and by every further run again', async () => {
    await createNotificationChannel(app, { events: ['session.revoked'] });
    const { user_id, attempt } = await approvedDeletion();
    const { temporal, started } = temporalAfter(1);
    const deps = { ...app.api.deps, temporal };
    const requester = { ...systemActor(defaultTenantId), user_id: admin.user_id };
    await expect(executeApproval(deps, requester, attempt)).rejects.toMatchObject({ code: 'service.unavailable' });
    const [user] = await withSuperuser(app, (db) =>
      db.selectFrom('users').where('id', '=', user_id).select('status').execute(),
    );
    expect(user?.status).toBe('deleted');
    expect(started).toEqual([]);

    expect((await executeApproval(deps, requester, attempt)).view.status).toBe('executed');
    expect(started).toEqual([expect.stringMatching(/^notification\//)]);
    // A workflow of the same id, which Temporal starts once.
    await executeApproval(deps, requester, attempt);
    expect(started[1]).toBe(started[0]);
  });
});
