import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { integrationSyncWorkflowId } from '../../../src/workflows/integration/integration-sync.contract.ts';
import { keyRotationWorkflowId } from '../../../src/workflows/integration/key-rotation.contract.ts';
import { callApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { integrationDriver } from '../../support/drivers/integration.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';

/** Grace periods of days and revokes that fail for hours take moments, because the workflows' clock is virtual. */
describe('integrations in virtual time', () => {
  let time: TestWorkflowEnvironment;
  let service: KeyService;
  let app: TestApi;
  let stage: VirtualTime;
  let admin: SignedIn;
  let drive: ReturnType<typeof integrationDriver>;

  beforeAll(async () => {
    service = await KeyService.start();
    stage = await startInVirtualTime({ OUTBOUND_ALLOW: service.host });
    ({ time, app } = stage);
    admin = await app.signIn('role-super-admin');
    drive = integrationDriver(app, admin);
  });

  afterAll(async () => {
    await stage.close();
    await service.stop();
  });

  /** Waits for the end of a rotation's workflow, replays it, and keeps its history. */
  async function endsAs(name: string, integrationId: string, rotationId: string, status: string) {
    const id = keyRotationWorkflowId({ tenant_id: defaultTenantId, integration_id: integrationId });
    const handle = time.client.workflow.getHandle(id);
    expect(await handle.result()).toEqual({ status });
    await recordedHistories('key-rotation').record(name, await handle.fetchHistory());
    return drive.rotation(integrationId, rotationId);
  }

  it('S2-21: the old key works until the end of the grace period and not a minute longer', async () => {
    const { id, key_id } = await drive.connected(service);
    const begun = (await drive.rotate(id, { grace_seconds: 24 * 3_600 })).body;
    const switched = await drive.rotated(id, begun.id, 'switched');
    expect(Date.parse(switched.grace_until) - Date.parse(switched.switched_at)).toBe(24 * 3_600_000);
    expect(service.activeKeys).toEqual(expect.arrayContaining([key_id, switched.new_key_id]));
    await time.sleep('23 hours');
    expect(await drive.rotation(id, begun.id)).toMatchObject({ status: 'switched' });
    expect(service.activeKeys).toContain(key_id);
    await time.sleep('61 minutes');
    await drive.rotated(id, begun.id, 'completed');
    await endsAs('completed', id, begun.id, 'completed');
    expect(service.activeKeys).not.toContain(key_id);
  });

  it('a revoke that fails for hours is shown and notified, and succeeds in the end', async () => {
    const { id, key_id } = await drive.connected(service);
    service.trouble(/^DELETE \/keys/, ...Array.from({ length: 12 }, () => 503));
    const begun = (await drive.rotate(id, { grace_seconds: 0 })).body;
    await drive.rotated(id, begun.id, 'revoking');
    for (let hours = 0; hours < 20; hours += 1) {
      if ((await drive.rotation(id, begun.id)).status === 'completed') break;
      await time.sleep('1 hour');
    }
    const done = await endsAs('revoke-retried', id, begun.id, 'completed');
    expect(done).toMatchObject({ revoke_attempts: 12, attempt_error_code: null, error_code: null });
    expect(service.activeKeys).not.toContain(key_id);
    expect(service.count(new RegExp(`^DELETE /keys/${key_id}`))).toBe(13);
    const notified = await eventually(
      () =>
        asSuperuser<{ event_key: string }>(
          app,
          "select distinct event_key from notification_deliveries where event = 'integration.revoke-failed' and event_key like $1",
          [`integration/${id}/%`],
        ),
      (rows) => rows.length >= 2,
    );
    expect(notified.map(({ event_key }) => event_key.split('/').at(-1)).sort()).toEqual(['1', '11']);
  });

  it('before the switch an unavailable service is waited for, for a limited time; then the old key stays', async () => {
    const { id, key_id } = await drive.connected(service);
    service.trouble(/^POST \/keys/, 503, 503);
    const waiting = (await drive.rotate(id, { grace_seconds: 0 })).body;
    await eventually(
      () => drive.rotation(id, waiting.id),
      ({ attempt_error_code }) => attempt_error_code === 'failing',
    );
    await time.sleep('1 minute');
    await drive.rotated(id, waiting.id, 'completed');
    const second = await drive.connected(service);
    service.trouble(/^GET \/me/, ...Array.from({ length: 8 }, () => 502));
    const given = (await drive.rotate(second.id)).body;
    await time.sleep('1 hour');
    const failed = await endsAs('failed', second.id, given.id, 'failed');
    expect(failed).toMatchObject({ error_code: 'failing', new_key_id: null, switched_at: null });
    expect(service.activeKeys).toContain(second.key_id);
    expect(service.activeKeys).not.toContain(key_id);
  });

  it('an abort interrupts the wait between two attempts, and revokes the key whose creation was never answered', async () => {
    const { id, key_id } = await drive.connected(service);
    const before = service.issued;
    // The key is created and every answer is lost for a while: only its Idempotency-Key leads to it.
    for (let lost = 0; lost < 4; lost += 1) service.loseAnswer(/^POST \/keys/);
    const begun = (await drive.rotate(id)).body;
    await eventually(
      () => drive.rotation(id, begun.id),
      ({ attempt_error_code }) => attempt_error_code === 'unreachable',
    );
    const abort = await app.call('POST', `/admin/integrations/${id}/rotations/${begun.id}/abort`, { token: admin.token });
    expect(abort.status).toBe(200);
    const aborted = await endsAs('aborted', id, begun.id, 'aborted');
    expect(aborted).toMatchObject({ error_code: null, switched_at: null });
    expect(service.issued).toBe(before + 1);
    expect(service.activeKeys).toContain(key_id);
    expect(service.activeKeys).not.toContain(aborted.new_key_id);
  });

  /** Begins a rotation whose first step is answered with 503 once it is released. */
  async function heldRotation() {
    const { id } = await drive.connected(service);
    const held = service.hold(/^POST \/keys/);
    service.trouble(/^POST \/keys/, 503, 503, 503);
    const begun = (await drive.rotate(id)).body;
    await held.arrived;
    const handle = time.client.workflow.getHandle(keyRotationWorkflowId({ tenant_id: defaultTenantId, integration_id: id }));
    /** Asks for an abort, and waits until the workflow has it. */
    async function abort(at: string): Promise<{ answer: Promise<Answer> }> {
      const accepted = async () =>
        ((await handle.fetchHistory()).events ?? []).filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes != null).length;
      const before = await accepted();
      const answer = callApi(at, 'POST', `/admin/integrations/${id}/rotations/${begun.id}/abort`, { token: admin.token });
      await eventually(accepted, (count) => count > before);
      return { answer };
    }
    return { id, rotation_id: begun.id, handle, abort, release: held.release };
  }

  it('an abort or a retry that arrives during a step is not waited with until the next one', async () => {
    const rotation = await heldRotation();
    const { answer } = await rotation.abort(app.url);
    rotation.release();
    expect((await answer).status).toBe(200);
    await endsAs('aborted-during-step', rotation.id, rotation.rotation_id, 'aborted');

    const { id, rotation_id, handle, release } = await heldRotation();
    const tries = () => service.count(/^POST \/keys/);
    const before = tries();
    const retried = await app.call('POST', `/admin/integrations/${id}/rotations/${rotation_id}/retry`, { token: admin.token });
    expect(retried.status).toBe(202);
    release();
    await eventually(async () => tries(), (count) => count > before);
    const { events } = await handle.fetchHistory();
    expect((events ?? []).filter((event) => event.timerFiredEventAttributes != null)).toEqual([]);
  });

  it('an abort that was given up does not take a later one with it', async () => {
    const rotation = await heldRotation();
    const hasty = await app.another({ COMMAND_DEADLINE_MS: 1_500 });
    const given = await rotation.abort(hasty.url);
    expect(await given.answer).toMatchObject({ status: 503, body: { detail: expect.stringMatching(/nothing was changed/i) } });
    const { answer } = await rotation.abort(app.url);
    rotation.release();
    expect((await answer).status).toBe(200);
    await endsAs('aborted-by-the-second', rotation.id, rotation.rotation_id, 'aborted');
  });

  it('a sync fails after its attempts when the remote system stays unavailable', async () => {
    const { id } = await drive.connected(service);
    service.items = [{ id: 1 }];
    const done = (await drive.sync(id)).body;
    const handle = time.client.workflow.getHandle(integrationSyncWorkflowId(defaultTenantId, id));
    expect(await handle.result()).toEqual({ job_id: done.id, status: 'succeeded' });
    await recordedHistories('integration-sync').record('succeeded', await handle.fetchHistory());
    service.trouble(/^GET \/records/, ...Array.from({ length: 8 }, () => 503));
    const failing = (await drive.sync(id)).body;
    const later = time.client.workflow.getHandle(integrationSyncWorkflowId(defaultTenantId, id));
    expect(await later.result()).toEqual({ job_id: failing.id, status: 'failed' });
    await recordedHistories('integration-sync').record('failed', await later.fetchHistory());
    expect(await drive.job(id, failing.id)).toMatchObject({ status: 'failed', error_code: 'failing' });
    const stuck = service.hold(/^GET \/records/);
    const stopped = (await drive.sync(id)).body;
    await stuck.arrived;
    await app.call('POST', `/admin/integrations/${id}/sync-jobs/${stopped.id}/cancel`, { token: admin.token });
    stuck.release();
    const last = time.client.workflow.getHandle(integrationSyncWorkflowId(defaultTenantId, id));
    expect(await last.result()).toEqual({ job_id: stopped.id, status: 'cancelled' });
    await recordedHistories('integration-sync').record('cancelled', await last.fetchHistory());
  });
});
