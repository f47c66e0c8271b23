import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import type { ProblemCode } from '../../../src/domain/shared/problem-codes.ts';
import { Problem } from '../../../src/platform/problem.ts';
import type { TemporalClient } from '../../../src/platform/temporal/temporal-client.ts';
import { decideApproval, editApproval } from '../../../src/services/approval/approval-decision.service.ts';
import { approveUpdate } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { createApproval, createApprovalPayload } from '../../support/factories/approval.ts';
import { fromNow, hour } from '../../support/factories/defaults.ts';
import { createFlag } from '../../support/factories/flag.ts';

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

const sender = () => ({
  actor: { ...systemActor(defaultTenantId), kind: 'user' as const, user_id: approver.user_id },
  mfa: { challenge_id: 'proof', delegate: () => 'proof' },
  command: { command_id: '00000000-0000-4000-8000-00000000c0de', waits_until: Date.now() + 10_000 },
});

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
  const said = { digest: request.digest, reason: null };
  await decideApproval({ db: app.api.deps.db, temporal }, sender(), request.id, approveUpdate, said);
  return asked;
}

describe('an edit', () => {
  it('sends the digest of the new payload to the workflow, never the payload itself', async () => {
    const { key } = await createFlag(app, { environment: 'production' });
    const request = await requestOf();
    const sent: unknown[] = [];
    const handle = { executeUpdate: async (_update: unknown, options: unknown) => void sent.push(options) };
    const client = { workflow: { getHandle: () => handle } } as unknown as Client;
    const temporal: TemporalClient = { ...app.api.deps.temporal, call: (work) => work(client) };
    const payload = { key, environment: 'production', enabled: true, version: 1, reason: 'canary-4711' };
    const edit = { digest: request.digest, payload, reason: 'reworded' };
    const actor = { ...sender().actor, permissions: ['flag:toggle'] as const };
    await editApproval({ ...app.api.deps, temporal }, { ...sender(), actor }, request.id, edit);
    expect(sent).toMatchObject([{ args: [{ digest: request.digest, reason: 'reworded' }] }]);
    expect(JSON.stringify(sent)).not.toContain('canary-4711');
  });
});

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
