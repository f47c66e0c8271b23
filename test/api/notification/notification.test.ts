import { randomBytes, randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import proto from '@temporalio/proto';
import { Webhook } from 'standardwebhooks';
import { createNotify } from '../../../src/services/notification/notification-delivery.client.ts';
import { assertReachable, createNotificationChannel } from '../../../src/services/notification/notification-channel.service.ts';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import type { Notification } from '../../../src/domain/notification/notification.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import {
  notificationDeliveryStartOptions,
  notificationDeliveryWorkflowId,
  notificationDeliveryWorkflowType,
} from '../../../src/workflows/notification/notification-delivery.contract.ts';
import type { DeliveryView, NotificationDeliveryInput } from '../../../src/workflows/notification/notification-delivery.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { createUserPreferences } from '../../support/factories/identity.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** The system of a recipient; it gives `answers` in order, and the last one for ever. */
let receiver: Server;
let received: Received[];
let answers: number[];
let hookUrl: string;

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let approver: SignedIn;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() });
      const status = answers.length > 1 ? answers.shift() : answers[0];
      response.writeHead(status ?? 200, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end('thanks');
    });
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const { port } = receiver.address() as AddressInfo;
  hookUrl = `http://127.0.0.1:${port}/hook`;
  app = await startTestApi({
    OUTBOUND_ALLOW: `127.0.0.1:${port}`,
    TEMPORAL_PAYLOAD_KEYS: `p1:${randomBytes(32).toString('base64')}`,
    WORKFLOW_BUNDLE: workflowBundlePath(),
  });
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  approver = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await new Promise((done) => receiver.close(done));
});

beforeEach(async () => {
  received = [];
  answers = [200];
  await asSuperuser(
    app,
    "update notification_channels set deleted_at = now(), is_enabled = false, disabled_reason = 'by_person'",
  );
});

/** A webhook channel, written as by the route but without a proof of the second factor. */
async function addHook(events: string[] = ['*']): Promise<{ id: string; secret: string }> {
  const actor = systemActor(defaultTenantId);
  const { channel, secret } = await unitOfWork(app.api.deps.db, actor, (tx) =>
    createNotificationChannel(tx, app.api.deps.keyring, actor, {
      kind: 'webhook',
      name: `hook ${randomUUID()}`,
      url: hookUrl,
      events,
    }),
  );
  return { id: channel.id, secret: secret ?? '' };
}

const deliveries = async (channelId: string): Promise<DeliveryView[]> => {
  const { body } = await app.call('GET', `/admin/notifications/deliveries?channel_id=${channelId}`, {
    token: admin.token,
  });
  return body.items;
};
async function settled(channelId: string, status: DeliveryView['status']): Promise<DeliveryView> {
  const withStatus = async () => (await deliveries(channelId)).find((delivery) => delivery.status === status);
  return eventually(withStatus, (delivery) => delivery !== undefined);
}

const noticeOf = (overrides: Partial<Notification> = {}): Notification => ({
  event: 'approval.opened',
  event_key: `approval/${randomUUID()}/opened/1`,
  subject: 'A change waits for your approval',
  text: 'Somebody asks to switch the flag "checkout" on in production.',
  data: { approval_id: randomUUID(), action: 'flag.toggle' },
  ...overrides,
});

const actorOf = (person: SignedIn) => ({
  tenant_id: defaultTenantId,
  user_id: person.user_id,
  session_id: person.session_id,
  request_id: null,
});

/** Starts a delivery with the given pauses and waits for its end. */
async function deliver(channelId: string, retry_delays_seconds: number[], notice = noticeOf()): Promise<DeliveryView> {
  const input: NotificationDeliveryInput = {
    actor: actorOf(admin),
    delivery_id: randomUUID(),
    receiver: { channel_id: channelId, user_id: null },
    kind: 'webhook',
    notice,
    retry_delays_seconds,
    again: false,
  };
  const { client, taskQueue } = app.api.deps.temporal;
  return client.workflow.execute(notificationDeliveryWorkflowType, {
    ...notificationDeliveryStartOptions(input),
    taskQueue,
  }) as Promise<DeliveryView>;
}

describe('notification channels', () => {
  const path = '/admin/notifications/channels';

  it('are created, read, updated and deleted with the permission and a second factor', async () => {
    const body = { kind: 'webhook', name: 'Chat', url: hookUrl, events: ['approval.opened'] };
    const created = await callProven(app, admin, 'POST', path, { body });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ kind: 'webhook', is_enabled: true, secret: expect.stringMatching(/^whsec_/) });
    const { id } = created.body;
    const one = await app.call('GET', `${path}/${id}`, { token: admin.token });
    expect(one.body).not.toHaveProperty('secret');
    expect(one.headers.get('etag')).toBe('"1"');

    const change = { body: { is_enabled: false }, token: admin.token };
    expect((await app.call('PATCH', `${path}/${id}`, change)).status).toBe(428);
    const based = { ...change, headers: { 'if-match': '"1"' } };
    expect((await app.call('PATCH', `${path}/${id}`, based)).body.code).toBe('mfa.required');
    const changed = await callProven(app, admin, 'PATCH', `${path}/${id}`, based);
    expect(changed.body).toMatchObject({ is_enabled: false, disabled_reason: 'by_person', version: 2 });
    const list = await app.call('GET', path, { token: admin.token });
    expect(list.body.items).toMatchObject([{ id, name: 'Chat' }]);
    expect(JSON.stringify(list.body)).not.toContain('whsec_');
    const [row] = await asSuperuser(app, 'select secret_ciphertext from notification_channels where id = $1', [id]);
    expect(row?.secret_ciphertext).toMatch(/^v1\.k1\./);

    const stale = { body: { name: 'Other' }, headers: { 'if-match': '"1"' } };
    expect((await callProven(app, admin, 'PATCH', `${path}/${id}`, stale)).body).toMatchObject({
      status: 412,
      current_version: 2,
    });
    expect((await callProven(app, admin, 'DELETE', `${path}/${id}`, {})).status).toBe(204);
    expect((await app.call('GET', `${path}/${id}`, { token: admin.token })).status).toBe(404);
    expect((await app.call('POST', `${path}/${id}/test`, { token: admin.token })).status).toBe(404);
  });

  it('S2-58, T-16: show an address without its token, and keep the stored one when that is sent back', async () => {
    const stored = async (id: string) =>
      (await asSuperuser<{ url: string }>(app, 'select url from notification_channels where id = $1', [id]))[0]?.url;
    const url = `${hookUrl}?token=t0kensekret&room=7`;
    const displayed = `${hookUrl}?token=[redacted]&room=7`;
    const created = await callProven(app, admin, 'POST', path, { body: { kind: 'webhook', name: 'Token', url, events: ['*'] } });
    expect(created).toMatchObject({ status: 201, body: { url: displayed } });
    const { id } = created.body;
    const one = await app.call('GET', `${path}/${id}`, { token: admin.token });
    const list = await app.call('GET', path, { token: admin.token });
    expect([one.body.url, list.body.items[0].url]).toEqual([displayed, displayed]);

    const change = (body: object, version: number) =>
      callProven(app, admin, 'PATCH', `${path}/${id}`, { body, headers: { 'if-match': `"${version}"` } });
    const renamed = await change({ name: 'Other', url: displayed }, 1);
    expect(renamed).toMatchObject({ status: 200, body: { name: 'Other', url: displayed, version: 2 } });
    expect(await stored(id)).toBe(url);
    const encoded = displayed.replace('[redacted]', '%5Bredacted%5D');
    expect(await change({ name: 'Third', url: encoded }, 2)).toMatchObject({ status: 200, body: { url: displayed } });
    expect(await stored(id)).toBe(url);

    const elsewhere = await change({ url: `${hookUrl}/elsewhere?token=[redacted]` }, 3);
    expect(elsewhere).toMatchObject({ status: 422, body: { code: 'request.invalid', errors: [{ pointer: '/url' }] } });
    const copied = { kind: 'webhook', name: 'Copy', url: displayed, events: ['*'] };
    expect(await callProven(app, admin, 'POST', path, { body: copied })).toMatchObject({ status: 422, body: { errors: [{ pointer: '/url' }] } });
    expect(await change({ url: `${hookUrl}?token=0ther` }, 3)).toMatchObject({ status: 200, body: { url: `${hookUrl}?token=[redacted]` } });
    expect(await stored(id)).toBe(`${hookUrl}?token=0ther`);

    const rotated = await callProven(app, admin, 'POST', `${path}/${id}/rotate-secret`, { body: {} });
    const audited = await asSuperuser(app, 'select old_values, new_values from audit_logs');
    expect(JSON.stringify([created.body, rotated.body, audited])).not.toMatch(/t0kensekret|0ther/);
  });

  it('are refused to people without the permission', async () => {
    const agent = await app.signIn('role-junior-agent');
    expect((await app.call('GET', path, { token: agent.token })).status).toBe(403);
    expect((await app.call('POST', path, { token: agent.token, body: {} })).status).toBe(403);
  });

  it.each([
    'http://127.0.0.1:1/',
    'https://169.254.169.254/latest/',
    'https://localhost/',
    'http://10.0.0.1/',
    'ftp://example.com/',
  ])('refuse the address %s when it is configured (SSRF)', async (url) => {
    await expect(assertReachable(app.api.deps.outbound, url)).rejects.toMatchObject({
      code: 'request.invalid',
      errors: [{ pointer: '/url' }],
    });
  });
});

describe('webhook deliveries', () => {
  it('are signed as Standard Webhooks asks, so that its library verifies them', async () => {
    const { id, secret } = await addHook();
    const test = await app.call('POST', `/admin/notifications/channels/${id}/test`, { token: admin.token });
    expect(test.status).toBe(202);
    expect(test.body).toMatchObject({ channel_id: id, event: 'notification.test', kind: 'webhook' });
    const delivered = await settled(id, 'delivered');
    expect(delivered).toMatchObject({ id: test.body.id, attempts: 1, last_status: 200, last_error: null });
    const [message] = received;
    expect(message?.headers['webhook-id']).toBe(delivered.id);
    const payload = new Webhook(secret).verify(message?.body ?? '', message?.headers ?? {});
    expect(payload).toEqual({ type: 'notification.test', timestamp: expect.any(String), data: { channel_id: id } });
    expect(() => new Webhook('whsec_AAAA').verify(message?.body ?? '', message?.headers ?? {})).toThrow();
  });

  it('carry two signatures during the grace of a rotated secret', async () => {
    const { id, secret: oldSecret } = await addHook();
    const rotated = await callProven(app, admin, 'POST', `/admin/notifications/channels/${id}/rotate-secret`, { body: {} });
    expect(rotated.status).toBe(200);
    expect(rotated.body.secret).not.toBe(oldSecret);
    await deliver(id, []);
    const [message] = received;
    expect(message?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const secret of [oldSecret, rotated.body.secret]) {
      expect(() => new Webhook(secret).verify(message?.body ?? '', message?.headers ?? {})).not.toThrow();
    }
    await asSuperuser(
      app,
      "update notification_channels set previous_secret_expires_at = now() - interval '1 second' where id = $1",
      [id],
    );
    await deliver(id, []);
    expect(() => new Webhook(oldSecret).verify(received[1]?.body ?? '', received[1]?.headers ?? {})).toThrow();
  });

  it('are retried after a failure, with the same id, until one is accepted', async () => {
    const { id } = await addHook();
    answers = [500, 302, 200];
    const delivered = await deliver(id, [1, 1, 1]);
    expect(delivered).toMatchObject({ status: 'delivered', attempts: 3, last_status: 200 });
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('fail when every attempt has failed, and can be delivered once more by request', async () => {
    const { id } = await addHook();
    answers = [503];
    const failed = await deliver(id, [1]);
    expect(failed).toMatchObject({ status: 'failed', attempts: 2, last_status: 503, next_attempt_at: null });
    answers = [200];
    const again = await app.call('POST', `/admin/notifications/deliveries/${failed.id}/redeliver`, {
      token: admin.token,
    });
    expect(again.body).toMatchObject({ id: failed.id, status: 'pending' });
    expect(await settled(id, 'delivered')).toMatchObject({ attempts: 3 });
  });

  it('switch a channel off whose recipient answers 410, and audit it', async () => {
    const { id } = await addHook();
    answers = [410];
    expect(await deliver(id, [1, 1])).toMatchObject({ status: 'failed', attempts: 1, last_status: 410 });
    const channel = await app.call('GET', `/admin/notifications/channels/${id}`, { token: admin.token });
    expect(channel.body).toMatchObject({ is_enabled: false, disabled_reason: 'gone' });
    const audit = await asSuperuser(
      app,
      "select 1 from audit_logs where entry::jsonb ->> 'event' = 'notification-channel.disable'",
    );
    expect(audit).toHaveLength(1);
    expect(await deliver(id, [])).toMatchObject({ status: 'failed', attempts: 1, last_status: null });
    expect(received).toHaveLength(1);
  });

  it('leave nothing but ids readable in the workflow history when payload keys are set', async () => {
    const { id, secret } = await addHook();
    const notice = noticeOf({ text: 'canary-text', data: { canary: 'canary-data' } });
    const { id: deliveryId } = await deliver(id, [], notice);
    const { client } = app.api.deps.temporal;
    const handle = client.workflow.getHandle(notificationDeliveryWorkflowId(defaultTenantId, deliveryId));
    const bytes = proto.temporal.api.history.v1.History.encode(await handle.fetchHistory()).finish();
    const history = Buffer.from(bytes).toString('latin1');
    for (const hidden of ['canary', secret, notice.subject]) expect(history).not.toContain(hidden);
    expect(history).toContain('binary/encrypted');
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ data: { canary: 'canary-data' } });
  });

  it('are refused for an address that has become private since it was configured', async () => {
    const { id } = await addHook();
    await asSuperuser(app, "update notification_channels set url = 'https://127.0.0.1/hook' where id = $1", [id]);
    expect(await deliver(id, [1])).toMatchObject({
      status: 'failed',
      attempts: 1,
      last_error: '127.0.0.1 is not on the public Internet.',
    });
  });
});

describe('notify', () => {
  it('reaches every channel that takes the event and the named people once, however often it is called', async () => {
    const [wanted, other] = [await addHook(['approval.opened']), await addHook(['approval.executed'])];
    const notice = noticeOf();
    const notify = createNotify(app.api.deps);
    for (let count = 0; count < 3; count += 1) await notify(actorOf(admin), notice, [approver.user_id]);
    expect(await settled(wanted.id, 'delivered')).toMatchObject({ event: 'approval.opened', subject: notice.subject });
    const outbox = async () => (await app.call('GET', `/dev/outbox?to=${approver.email}`)).body;
    const [mail] = await eventually(outbox, (mails) => mails.length > 0);
    expect(mail).toMatchObject({ recipient: approver.email, subject: notice.subject, body: notice.text });
    await notify(actorOf(admin), notice, [approver.user_id]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(received).toHaveLength(1);
    expect(await deliveries(other.id)).toEqual([]);
    expect((await app.call('GET', `/dev/outbox?to=${approver.email}`)).body).toHaveLength(1);
  });

  it('does not reach people who switched e-mail off or are not active', async () => {
    const agent = await app.signIn('role-junior-agent');
    await createUserPreferences(app, { user_id: agent.user_id, email_notifications: false });
    await createNotify(app.api.deps)(actorOf(admin), noticeOf(), [agent.user_id, randomUUID()]);
    const { body } = await app.call('GET', '/admin/notifications/deliveries?status=pending', { token: admin.token });
    expect(body.items.filter((delivery: DeliveryView) => delivery.user_id === agent.user_id)).toEqual([]);
  });
});

describe('the development outbox', () => {
  it('does not exist where mail goes to a mail server', async () => {
    const other = await app.another({ SMTP_URL: 'smtp://127.0.0.1:1' });
    expect((await callApi(other.url, 'GET', '/dev/outbox')).status).toBe(404);
    expect((await app.call('GET', '/dev/outbox')).status).toBe(200);
  });
});
