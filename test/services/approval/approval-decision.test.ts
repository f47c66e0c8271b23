import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import type { ProblemCode } from '../../../src/domain/shared/problem-codes.ts';
import { Problem } from '../../../src/platform/problem.ts';
import { decideApproval } from '../../../src/services/approval/approval-decision.service.ts';
import { approveUpdate } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { createApproval, createApprovalPayload } from '../../support/factories/approval.ts';
import { fromNow, hour } from '../../support/factories/defaults.ts';

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

/** A request of the database that waits for an approval, or has another status. */
async function requestOf(status: 'pending' | 'approved' = 'pending') {
  const { digest } = await createApprovalPayload(app);
  const execution_due_at = status === 'approved' ? fromNow(hour) : null;
  return createApproval(app, { digest, requested_by: admin.user_id, status, execution_due_at });
}

/** Approves a request whose workflow refuses so many times with a code and then accepts. @returns how often it was asked. */
async function approve(request: { id: string; digest: string }, refusals: number, code: ProblemCode): Promise<number> {
  let asked = 0;
  const temporal = {
    ...app.api.deps.temporal,
    call: async () => {
      asked += 1;
      if (asked <= refusals) throw new Problem({ code, detail: 'The workflow refuses.' });
      return {} as never;
    },
  };
  const sender = {
    actor: { ...systemActor(defaultTenantId), kind: 'user' as const, user_id: approver.user_id },
    mfa: { challenge_id: 'proof', delegate: () => 'proof' },
  };
  const said = { digest: request.digest, reason: null };
  await decideApproval({ db: app.api.deps.db, temporal }, sender, request.id, approveUpdate, said);
  return asked;
}

describe('a decision that the workflow refuses by the state of the request', () => {
  it('is sent again while the committed row allows it: the workflow has not heard of the commit yet', async () => {
    expect(await approve(await requestOf(), 2, 'approval.not-pending')).toBe(3);
    expect(await approve(await requestOf(), 1, 'approval.digest-mismatch')).toBe(2);
  });

  it('is refused at once when the row refuses it too', async () => {
    await expect(approve(await requestOf('approved'), 1, 'approval.not-pending')).rejects.toMatchObject({
      code: 'approval.not-pending',
    });
    const edited = { ...(await requestOf()), digest: 'f'.repeat(64) };
    await expect(approve(edited, 1, 'approval.digest-mismatch')).rejects.toMatchObject({
      code: 'approval.digest-mismatch',
    });
  });

  it('is refused at once for any other reason', async () => {
    await expect(approve(await requestOf(), 1, 'approval.own-request')).rejects.toMatchObject({
      code: 'approval.own-request',
    });
  });

  it('is refused in the end when the workflow never hears of the commit', async () => {
    await expect(approve(await requestOf(), 1_000, 'approval.not-pending')).rejects.toMatchObject({
      code: 'approval.not-pending',
    });
  });
});
