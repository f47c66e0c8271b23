import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { approvalWorkflowId } from '../../src/workflows/approval/approval.contract.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { approvalDriver } from '../support/drivers/approval.ts';
import type { ApprovalDriver } from '../support/drivers/approval.ts';
import { eventually } from '../support/eventually.ts';
import { asSuperuser } from '../support/superuser.ts';
import { recordedHistories } from '../support/temporal/histories.ts';
import { quietTemporal } from '../support/temporal/temporal.ts';
import { startInVirtualTime } from '../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../support/temporal/virtual-time.ts';

/** Histories of earlier releases. New ones are added, none is ever rewritten. */
const histories = recordedHistories('approval');

beforeAll(quietTemporal);

describe('committed histories of approval requests', () => {
  it('cover every way in which a request can end', async () => {
    const names = await histories.names();
    for (const end of [
      'executed',
      'executed-and-told',
      'failed',
      'rejected',
      'cancelled',
      'expired-in-review',
      'expired-in-execution',
      'edited',
      'returned',
      'bypassed',
      'aborted',
    ]) {
      expect(names).toContain(end);
    }
  });

  it('replay with the present code', async () => {
    await histories.replayAll();
  });

  it('do not replay with other code, so the check can fail', async () => {
    const history = (await histories.all()).get('executed');
    for (const event of history?.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes as { activityType?: { name: string } } | undefined;
      if (scheduled?.activityType?.name === 'executeApproval') scheduled.activityType.name = 'somethingElse';
    }
    await expect(histories.replay(history)).rejects.toThrow(/[Dd]eterminism/);
  });
});

describe('histories of requests of this release', () => {
  let stage: VirtualTime;
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let drive: ApprovalDriver;
  let admin: SignedIn;
  let second: SignedIn;
  let provider: SignedIn;

  beforeAll(async () => {
    stage = await startInVirtualTime();
    ({ time, app } = stage);
    admin = await app.signIn('role-super-admin');
    second = await app.signIn('role-super-admin', 1);
    provider = await app.signIn('role-provider-admin');
    drive = approvalDriver(app, admin);
  });

  afterAll(async () => {
    await stage.close();
  });

  /** Waits for the end, replays what happened, and keeps it where no history of that name is kept yet. */
  async function endsAs(name: string, id: string, status: string): Promise<void> {
    await drive.settled(id, status);
    const handle = time.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, id));
    await eventually(
      () => handle.describe(),
      (description) => description.status.name === 'COMPLETED',
    );
    await histories.record(name, await handle.fetchHistory());
  }

  it('replay at once, and are kept where a way to end has no history yet', async () => {
    const [executed, rejected, cancelled, failed, edited, aborted, inReview] = await Promise.all(
      ['h-executed', 'h-rejected', 'h-cancelled', 'h-failed', 'h-edited', 'h-aborted', 'h-in-review'].map(drive.opened),
    );
    if (!executed || !rejected || !cancelled || !failed || !edited || !aborted || !inReview)
      throw new Error('not opened');
    await drive.approve(provider, executed);
    await drive.say(provider, 'reject', rejected, { digest: rejected.digest, reason: 'no' });
    await drive.say(admin, 'cancel', cancelled, {});
    await drive.whenApproved(failed.id, "update public.admin_feature_flags set version = 5 where key = 'h-failed'");
    await drive.approve(provider, failed);
    const { payload } = await drive.detail(edited.id);
    const body = { digest: edited.digest, payload: { ...payload, reason: 'reworded' } };
    const { digest } = (await drive.say(admin, 'edit', edited, body)).body;
    await drive.approve(provider, { id: edited.id, digest });
    await time.client.workflow.getHandle(approvalWorkflowId(defaultTenantId, aborted.id)).cancel();
    await endsAs('executed', executed.id, 'executed');
    // The kept history of that name is of a release that notified people by an activity of its own.
    await endsAs('executed-and-told', executed.id, 'executed');
    await endsAs('rejected', rejected.id, 'rejected');
    await endsAs('cancelled', cancelled.id, 'cancelled');
    await endsAs('failed', failed.id, 'failed');
    await endsAs('edited', edited.id, 'executed');
    await endsAs('aborted', aborted.id, 'cancelled');
    await time.sleep('25 hours');
    await endsAs('expired-in-review', inReview.id, 'expired');
  });

  it('replay also when an approver lost the right, the policy was bypassed, or the execution window ended', async () => {
    const steps = [{ name: 'two', roles: ['role-super-admin', 'role-provider-admin'], users: [], quorum: 2 }];
    await drive.setPolicy({ steps, bypassers: [second.user_id], execution_window_seconds: 60 });
    const [returned, bypassed, late] = await Promise.all(['h-returned', 'h-bypassed', 'h-late'].map(drive.opened));
    if (!returned || !bypassed || !late) throw new Error('not opened');
    await drive.approve(provider, returned);
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [provider.user_id]);
    await drive.approve(second, returned);
    await drive.settled(returned.id, 'pending');
    await asSuperuser(app, "update users set status = 'active' where id = $1", [provider.user_id]);
    await drive.approve(provider, returned);
    await drive.say(second, 'break-glass', bypassed, { digest: bypassed.digest, reason: 'outage' });
    await endsAs('returned', returned.id, 'executed');
    await endsAs('bypassed', bypassed.id, 'executed');
    await asSuperuser(app, 'revoke insert on admin_flag_history from castellan_app');
    await drive.approve(provider, late);
    await drive.approve(second, late);
    await time.sleep('2 minutes');
    await endsAs('expired-in-execution', late.id, 'expired');
  });
});
