import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { keyRotationWorkflowId } from '../../../src/workflows/integration/key-rotation.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import type { KeyService } from '../../support/fakes/key-service.ts';
import { oauthConfig, restConfig } from '../../support/drivers/integration.ts';
import { startIntegrationStack } from '../../support/integration-stack.ts';
import type { IntegrationStack } from '../../support/integration-stack.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven, runProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';

let stack: IntegrationStack;
let app: TestApi;
let service: KeyService;
let admin: SignedIn;
let drive: IntegrationStack['drive'];

beforeAll(async () => {
  stack = await startIntegrationStack();
  ({ app, service, admin, drive } = stack);
});

afterAll(async () => {
  await stack.close();
});

describe('key rotation (S2-21)', () => {
  it('checks, creates and proves a key, switches, revokes the old key and proves that it is refused', async () => {
    const { id, key_id, secret } = await drive.connected(service);
    const begun = await drive.rotate(id, { grace_seconds: 0, reason: 'yearly' });
    expect(begun).toMatchObject({ status: 201, body: { old_key_id: key_id, status: 'requested', reason: 'yearly' } });
    const done = await drive.rotated(id, begun.body.id, 'completed');
    expect(service.activeKeys).toContain(done.new_key_id);
    expect(service.activeKeys).not.toContain(key_id);
    expect(done.refused_at).not.toBeNull();
    const after = await drive.details(id);
    expect(after).toMatchObject({ key_id: done.new_key_id, secret_fingerprint: done.new_fingerprint, version: 2 });
    const { body } = await callProven(app, admin, 'POST', `/admin/integrations/${id}/reveal-secret`);
    expect(body.secret).not.toBe(secret);
    service.items = [{ id: 1 }];
    expect(await drive.ended(id, (await drive.sync(id)).body.id)).toMatchObject({ status: 'succeeded' });
    const steps = ['created', 'verified', 'switched', 'revoking', 'completed'].map((step) => `rotation-${step}`);
    expect((await drive.events(id)).filter((event) => event.startsWith('rotation-') && event !== 'rotation-progress')).toEqual(steps);
    const [kept] = await asSuperuser(
      app,
      'select new_secret_ciphertext, old_secret_ciphertext from admin_key_rotations where id = $1',
      [done.id],
    );
    expect(kept).toEqual({ new_secret_ciphertext: null, old_secret_ciphertext: null });
  });

  it('works with client credentials too', async () => {
    const { id, key_id } = await drive.connected(service, oauthConfig(service, { client_authentication: 'post' }));
    const begun = await drive.rotate(id, { grace_seconds: 0 });
    await drive.rotated(id, begun.body.id, 'completed');
    expect(service.activeKeys).not.toContain(key_id);
  });

  it('S2-68: opens an approval request for an integration of production, and refuses a false environment', async () => {
    const { id } = await drive.connected(service, restConfig(service), { environment: 'production' });
    const disguised = await drive.rotate(id, { environment: 'staging' });
    expect(disguised).toMatchObject({ status: 422, body: { errors: [{ pointer: '/environment' }] } });
    const asked = await drive.rotate(id, { environment: 'production', grace_seconds: 0 });
    expect(asked).toMatchObject({ status: 202, body: { action: 'integration.rotate-key', status: 'pending' } });
    const second = await app.signIn('role-super-admin', 1);
    const approved = await callProven(app, second, 'POST', `/admin/approvals/${asked.body.id}/approve`, {
      body: { digest: asked.body.digest },
    });
    expect(approved.status).toBe(200);
    const list = () => app.call('GET', `/admin/integrations/${id}/rotations`, { token: admin.token });
    const { body } = await eventually(list, (answer) => answer.body.items.length === 1);
    expect(body.items).toMatchObject([{ approval_id: asked.body.id, requested_by: admin.user_id }]);
    await drive.rotated(id, body.items[0].id, 'completed');
    // Started by the execution of the request, not by the next sweep.
    const ref = { tenant_id: defaultTenantId, integration_id: id, rotation_id: body.items[0].id };
    const { startTime } = await app.api.deps.temporal.client.workflow.getHandle(keyRotationWorkflowId(ref)).describe();
    expect(startTime.getTime() - Date.parse(body.items[0].created_at)).toBeLessThan(30_000);
  });

  it('runs once at a time, blocks changes of the configuration, and can be aborted without effect before the switch', async () => {
    const { id, key_id } = await drive.connected(service);
    const held = service.hold(/^POST \/keys/, 'after');
    const both = await Promise.all([drive.rotate(id), drive.rotate(id)]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(both.find(({ status }) => status === 409)?.body.code).toBe('integration.rotation-running');
    await held.arrived;
    const put = await callProven(app, admin, 'PUT', `/admin/integrations/${id}/config`, {
      body: { config: restConfig(service) },
      headers: { 'if-match': '"1"' },
    });
    expect(put).toMatchObject({ status: 409, body: { code: 'integration.rotation-running' } });
    const rotationId: string = both.find(({ status }) => status === 201)?.body.id;
    const abort = () => app.call('POST', `/admin/integrations/${id}/rotations/${rotationId}/abort`, { token: admin.token });
    const aborting = abort();
    held.release();
    expect(await aborting).toMatchObject({ status: 200 });
    const aborted = await drive.rotated(id, rotationId, 'aborted');
    expect(service.activeKeys).toContain(key_id);
    expect(service.activeKeys).not.toContain(aborted.new_key_id);
    expect(await drive.details(id)).toMatchObject({ key_id, version: 1 });
    expect(await abort()).toMatchObject({ status: 409, body: { code: 'integration.rotation-switched' } });
  });

  it('changes nothing when a check or the proof fails', async () => {
    const refused = await drive.connected(service);
    service.revoke(refused.key_id);
    const before = service.issued;
    const first = await drive.rotate(refused.id, { grace_seconds: 0 });
    expect(await drive.rotated(refused.id, first.body.id, 'failed')).toMatchObject({ error_code: 'refused', new_key_id: null });
    expect(service.issued).toBe(before);

    const odd = await drive.connected(service);
    service.oddKeyAnswer = { id: 'x' };
    const second = await drive.rotate(odd.id);
    expect(await drive.rotated(odd.id, second.body.id, 'failed')).toMatchObject({ error_code: 'unexpected' });
    service.oddKeyAnswer = undefined;

    const unproven = await drive.connected(service);
    const held = service.hold(/^POST \/keys/, 'after');
    const third = await drive.rotate(unproven.id);
    await held.arrived;
    service.trouble(/^GET \/me/, 403);
    held.release();
    const failed = await drive.rotated(unproven.id, third.body.id, 'failed');
    expect(failed).toMatchObject({ error_code: 'refused', switched_at: null });
    expect(service.activeKeys).not.toContain(failed.new_key_id);
    expect(await drive.details(unproven.id)).toMatchObject({ key_id: unproven.key_id });
  });

  it('is refused when the remote service does not manage keys, or the id of the key is unknown', async () => {
    const unmanaged = await drive.connected(service, restConfig(service, { key_management: null }));
    const unnamed = await drive.connected(service, restConfig(service), { key_id: null });
    for (const { id } of [unmanaged, unnamed]) {
      expect(await drive.rotate(id)).toMatchObject({ status: 409, body: { code: 'integration.rotation-unsupported' } });
    }
  });

  it('permits, after the switch, to exchange the secret alone by hand, in case the key is lost at the service', async () => {
    const { id } = await drive.connected(service);
    const begun = (await drive.rotate(id, { grace_seconds: 3_600 })).body;
    await drive.rotated(id, begun.id, 'switched');
    const { config, version } = await drive.details(id);
    const put = (body: object) =>
      callProven(app, admin, 'PUT', `/admin/integrations/${id}/config`, { body, headers: { 'if-match': `"${version}"` } });
    const elsewhere = { ...config, base_url: `${service.url}/elsewhere` };
    expect((await put({ config: elsewhere, ...service.issue() })).body.code).toBe('integration.rotation-running');
    expect((await put({ config })).body.code).toBe('integration.rotation-running');
    const byHand = service.issue();
    expect(await put({ config, ...byHand })).toMatchObject({ status: 200, body: { key_id: byHand.key_id } });
  });

  it('shows a failed revoke, notifies its requester, and retries on request', async () => {
    const { id } = await drive.connected(service);
    service.trouble(/^DELETE \/keys/, 500);
    service.acceptsRevoked = true;
    const begun = (await drive.rotate(id, { grace_seconds: 0 })).body;
    const trouble = (code: string) =>
      eventually(
        () => drive.rotation(id, begun.id),
        ({ attempt_error_code }) => attempt_error_code === code,
      );
    expect(await trouble('failing')).toMatchObject({ status: 'revoking', revoke_attempts: 1, ended_at: null });
    const retry = () => app.call('POST', `/admin/integrations/${id}/rotations/${begun.id}/retry`, { token: admin.token });
    expect((await retry()).status).toBe(202);
    await trouble('still_accepted');
    service.acceptsRevoked = false;
    await retry();
    const done = await drive.rotated(id, begun.id, 'completed');
    expect(done.attempt_error_code).toBeNull();
    expect(done.revoke_attempts).toBeGreaterThanOrEqual(2);
    expect((await retry()).status).toBe(409);
    const notified = await asSuperuser<{ event: string }>(
      app,
      'select distinct event from notification_deliveries where event_key like $1 order by event',
      [`integration/${id}/%`],
    );
    expect(notified.map(({ event }) => event)).toContain('integration.revoke-failed');
  });
});

describe('fingerprints of secrets', () => {
  it('find where a value is and was in use without storing it, with an audit entry', async () => {
    const { id, secret } = await drive.connected(service);
    const find = async (value: string) =>
      (await callProven(app, admin, 'POST', '/admin/integrations/find-secret', { body: { secret: value } })).body.uses;
    expect(await find(secret)).toEqual([{ integration_id: id, rotation_id: null }]);
    const begun = (await drive.rotate(id, { grace_seconds: 3_600 })).body;
    await drive.rotated(id, begun.id, 'switched');
    expect(await find(secret)).toEqual([{ integration_id: id, rotation_id: begun.id }]);
    expect(await find('a-value-nobody-uses')).toEqual([]);
  });
});

describe('secrets of remote systems', () => {
  it('do not appear in clear in any table, workflow or answer', async () => {
    const { id, secret } = await drive.connected(service);
    const begun = await drive.rotate(id, { grace_seconds: 0 });
    await drive.rotated(id, begun.body.id, 'completed');
    const { body } = await callProven(app, admin, 'POST', `/admin/integrations/${id}/reveal-secret`);
    const shown = JSON.stringify([await drive.details(id), await drive.rotation(id, begun.body.id)]);
    const stores = new Map([
      ...(await dumpTables(app.database.adminUrl)),
      ...(await dumpWorkflows(app.api.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE)),
      ['answers', shown],
    ]);
    expect([...stores.keys()].some((name) => name.startsWith('rotation/'))).toBe(true);
    for (const [place, text] of stores) {
      const found = [secret, body.secret].filter((one) => text.includes(one));
      expect({ place, found }).toEqual({ place, found: [] });
    }
  });
});

describe('adminApi (S2-17..22)', () => {
  const client = () =>
    createCastellanClient({
      baseUrl: app.url,
      tokens: { access_token: admin.token, refresh_token: admin.refresh_token },
    }).adminApi;

  it('reads, syncs, configures and rotates under the names that the UI uses', async () => {
    const { id, key_id } = await drive.connected(service);
    const api = client();
    expect((await api.getIntegrations({ limit: 1 })).items).toMatchObject([{ id }]);
    expect(await api.getIntegrationDetails(id)).toMatchObject({ id, key_id, version: 1 });
    service.items = [{ id: 'a' }, { id: 'b' }];
    const job = await api.triggerManualSync(id);
    expect(await drive.ended(id, job.id)).toMatchObject({ status: 'succeeded', created_count: 2 });
    expect((await api.getSyncJobHistory(id)).items).toMatchObject([{ id: job.id, status: 'succeeded' }]);
    const config = { ...(await api.getIntegrationDetails(id)).config, records_path: '/records' };
    const changed = await runProven(app, admin, (proof) => api.updateIntegrationConfig(id, { config }, { ...proof, version: 1 }));
    expect(changed).toMatchObject({ kind: 'done', result: { version: 2, key_id } });
    const outcome = await runProven(app, admin, (proof) => api.rotateAPIKey(id, { environment: 'staging', grace_seconds: 0 }, proof));
    if (outcome.kind !== 'done') throw new Error('staging needs no approval');
    await drive.rotated(id, outcome.result.id, 'completed');
    await expect(api.getIntegrationDetails('00000000-0000-4000-8000-00000000dead')).rejects.toMatchObject({
      code: 'resource.not-found',
    });
  });
});
