import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { approvalWorkflowId, stateQuery } from '../../../src/workflows/approval/approval.contract.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver, OpenedRequest } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven, provenCall } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';
import { createApprovalDecision } from '../../support/factories/approval.ts';

const hour = 3600;

/** The whole product on a time-skipping server; with the small cache workflows are replayed on nearly every task. */
describe.each([
  { cache: 'as it comes', variables: {} },
  { cache: 'of three workflows', variables: { TEMPORAL_MAX_CACHED_WORKFLOWS: '3' } },
])('approval workflow in virtual time, with a workflow cache $cache', ({ variables }) => {
  let stage: VirtualTime;
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let admin: SignedIn;
  let provider: SignedIn;
  let drive: ApprovalDriver;

  beforeAll(async () => {
    stage = await startInVirtualTime(variables);
    ({ time, app } = stage);
    admin = await app.signIn('role-super-admin');
    provider = await app.signIn('role-provider-admin');
    drive = approvalDriver(app, admin);
  });

  afterAll(async () => {
    await stage.close();
  });

  const approve = (request: OpenedRequest): Promise<Answer> => drive.approve(provider, request);

  const handleOf = (id: string) => time.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));

  const noticesOf = async (id: string): Promise<string[]> => {
    const rows = await asSuperuser<{ event: string }>(
      app,
      "select distinct event, event_key from notification_deliveries where event_key like 'approval/' || $1 || '/%'",
      [id],
    );
    return rows.map(({ event }) => event).sort();
  };

  it('S2-70: expires a request that nobody decided on at the end of the review window, and keeps its history', async () => {
    const request = await drive.opened('unwatched');
    await time.sleep('23 hours');
    expect((await drive.detail(request.id)).status).toBe('pending');
    await time.sleep('2 hours');
    const expired = await drive.settled(request.id, 'expired');
    expect(expired).toMatchObject({ execution_due_at: null, closed_at: expect.any(String) });
    expect(await drive.events(request.id)).toEqual(['opened', 'expire']);
    expect(
      (
        await eventually(
          () => approve(request),
          ({ status }) => status === 409,
        )
      ).body.code,
    ).toBe('approval.closed');
    expect((await handleOf(request.id).describe()).status.name).toBe('COMPLETED');
  });

  it('reminds the approvers at the interval of the policy, while the request is pending only', async () => {
    await drive.setPolicy({ reminder_interval_seconds: 6 * hour });
    const request = await drive.opened('reminded');
    for (let round = 0; round < 13; round += 1) await time.sleep('1 hour');
    await approve(request);
    await drive.settled(request.id, 'executed');
    await time.sleep('24 hours');
    const notices = await eventually(
      () => noticesOf(request.id),
      (events) => events.includes('approval.executed'),
    );
    expect(notices).toEqual(['approval.executed', 'approval.opened', 'approval.reminder', 'approval.reminder']);
  });

  it('S2-70: expires an approved request that could not be executed within the execution window', async () => {
    await drive.setPolicy({ execution_window_seconds: 120, reminder_interval_seconds: 0 });
    const request = await drive.opened('unreachable');
    // The database refuses with an error that another attempt may not meet, as while it is unavailable.
    await asSuperuser(app, 'revoke insert on admin_flag_history from castellan_app');
    try {
      expect((await approve(request)).body.status).toBe('approved');
      await time.sleep('1 minute');
      expect((await drive.detail(request.id)).status).toBe('approved');
      // A busy worker begins its timers late, and time passes only while somebody sleeps.
      const asleep = async () => {
        await time.sleep('1 minute');
        return drive.detail(request.id);
      };
      expect((await eventually(asleep, ({ status }) => status === 'expired')).execution_due_at).not.toBeNull();
    } finally {
      await asSuperuser(app, 'grant insert on admin_flag_history to castellan_app');
    }
    await time.sleep('10 minutes');
    expect((await drive.flag('unreachable')).version).toBe(1);
    expect(await drive.events(request.id)).toEqual(['opened', 'approve', 'expire']);
  });

  it('executes a change once, as soon as the database allows it within the window', async () => {
    const request = await drive.opened('patient');
    await asSuperuser(app, 'revoke insert on admin_flag_history from castellan_app');
    await approve(request);
    await time.sleep('30 seconds');
    await asSuperuser(app, 'grant insert on admin_flag_history to castellan_app');
    await time.sleep('1 minute');
    await drive.settled(request.id, 'executed');
    const rows = await asSuperuser(app, "select 1 from admin_flag_history where key = 'patient' and version > 1");
    expect(rows).toHaveLength(1);
  });

  it('notifies people once, by an activity of its own, when it failed together with the execution', async () => {
    const request = await drive.opened('told-late');
    await eventually(
      () => noticesOf(request.id),
      (events) => events.includes('approval.opened'),
    );
    await asSuperuser(app, 'revoke select on notification_channels from castellan_app');
    try {
      await approve(request);
      await drive.settled(request.id, 'executed');
      expect(await noticesOf(request.id)).toEqual(['approval.opened']);
    } finally {
      await asSuperuser(app, 'grant select on notification_channels to castellan_app');
    }
    await time.sleep('2 minutes');
    await eventually(
      () => handleOf(request.id).describe(),
      ({ status }) => status.name === 'COMPLETED',
    );
    const notices = await eventually(
      () => noticesOf(request.id),
      (events) => events.includes('approval.executed'),
    );
    expect(notices).toEqual(['approval.executed', 'approval.opened']);
  });

  it('accepts an edit and a cancellation while the execution is retried', async () => {
    const request = await drive.opened('changed-mind');
    await asSuperuser(app, 'revoke insert on admin_flag_history from castellan_app');
    try {
      await approve(request);
      const path = `/admin/approvals/${request.id}`;
      const payload = (await drive.detail(request.id)).payload;
      const body = { digest: request.digest, payload: { ...payload, reason: 'reworded' } };
      const edited = await callProven(app, admin, 'POST', `${path}/edit`, { body });
      expect(edited.body).toMatchObject({ status: 'pending', revision: 2, execution_due_at: null });
      const cancelled = await callProven(app, admin, 'POST', `${path}/cancel`, { body: {} });
      expect(cancelled.body.status).toBe('cancelled');
    } finally {
      await asSuperuser(app, 'grant insert on admin_flag_history to castellan_app');
    }
    await time.sleep('5 minutes');
    const rows = await asSuperuser(app, "select 1 from admin_flag_history where key = 'changed-mind' and version > 1");
    expect(rows).toHaveLength(0);
  });

  it('answers a person at once while the database is unavailable, and retries where nobody waits', async () => {
    const request = await drive.opened('database-away');
    await asSuperuser(app, 'revoke insert on admin_approval_history from castellan_app');
    try {
      expect(await approve(request)).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
      await time.sleep('25 hours');
      expect((await drive.detail(request.id)).status).toBe('pending');
    } finally {
      await asSuperuser(app, 'grant insert on admin_approval_history to castellan_app');
    }
    await time.sleep('5 minutes');
    await drive.settled(request.id, 'expired');
    expect(await drive.events(request.id)).toEqual(['opened', 'expire']);
  });

  it('closes the row when an operator cancels the workflow', async () => {
    const request = await drive.opened('operator');
    await handleOf(request.id).cancel();
    await drive.settled(request.id, 'cancelled');
    expect(await drive.events(request.id)).toEqual(['opened', 'abort']);
  });

  it('answers the query with its state, without the payload', async () => {
    const request = await drive.opened('asked');
    const state = await handleOf(request.id).query(stateQuery);
    expect(state).toMatchObject({
      status: 'pending',
      revision: 1,
      digest: request.digest,
      requested_by: admin.user_id,
    });
    const history = JSON.stringify(await handleOf(request.id).fetchHistory());
    const decoded = history.replaceAll(/"data":"([\w+/=]+)"/g, (_, data: string) =>
      Buffer.from(data, 'base64').toString(),
    );
    expect(decoded).not.toContain('"asked"');
    expect(decoded).not.toContain('"enabled"');
  });

  it('shows operators the file and line of the source where it waits', async () => {
    const request = await drive.opened('traced');
    const trace = await handleOf(request.id).query<string>('__stack_trace');
    expect(trace).toMatch(/src\/workflows\/approval\/approval\.workflow\.ts:\d+:\d+/);
  });

  it('adopts a decision that was committed but never answered', async () => {
    await drive.setPolicy({
      steps: [{ name: 'two', roles: ['role-super-admin', 'role-provider-admin'], users: [], quorum: 2 }],
    });
    const request = await drive.opened('unanswered');
    // As after a kill between commit and answer: the row holds the approval, the workflow does not.
    const path = `/admin/approvals/${request.id}/approve`;
    const repeat = await provenCall(app, provider, 'POST', path, { body: { digest: request.digest } });
    await createApprovalDecision(app, { approval_id: request.id, digest: request.digest, approver_id: provider.user_id });
    const repeated = await repeat();
    expect(repeated).toMatchObject({ status: 200, body: { steps: [{ approvals: 1 }] } });
    const second = await app.signIn('role-super-admin', 1);
    const decided = await callProven(app, second, 'POST', path, { body: { digest: request.digest } });
    expect(decided.body.status).toBe('approved');
    await drive.settled(request.id, 'executed');
  });
});
