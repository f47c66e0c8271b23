import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import {
  notificationDeliveryStartOptions,
  notificationDeliveryWorkflowType,
} from '../../../src/workflows/notification/notification-delivery.contract.ts';
import type { DeliveryView, NotificationDeliveryInput } from '../../../src/workflows/notification/notification-delivery.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { callProven } from '../../support/second-factor.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

/** The system of a recipient; it gives its last answer for ever. */
let receiver: Server;
let answers: number[] = [200];
let app: TestApi;
let worker: InProcessWorker;
let channelId: string;
let userId: string;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    request.resume();
    response.writeHead((answers.length > 1 ? answers.shift() : answers[0]) ?? 200).end();
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  app = await startTestApi({ OUTBOUND_ALLOW: address, WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startInProcessWorker(app);
  const admin = await app.signIn('role-super-admin');
  userId = admin.user_id;
  const created = await callProven(app, admin, 'POST', '/admin/notifications/channels', {
    body: { kind: 'webhook', name: 'Partner', url: `http://${address}/hook`, events: ['approval.opened'] },
  });
  expect(created.status).toBe(201);
  channelId = created.body.id;
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await new Promise((done) => receiver.close(done));
});

/** Runs a delivery to its end, replays it, and keeps its history where this outcome has none yet. */
async function deliver(name: string, values: Partial<NotificationDeliveryInput>): Promise<DeliveryView> {
  const { client, taskQueue } = app.api.deps.temporal;
  const input: NotificationDeliveryInput = {
    actor: { tenant_id: defaultTenantId, user_id: null, session_id: null, request_id: null },
    delivery_id: randomUUID(),
    receiver: { channel_id: channelId, user_id: null },
    kind: 'webhook',
    notice: {
      event: 'approval.opened',
      event_key: `approval/${randomUUID()}/opened/1`,
      subject: 'A change waits for your approval',
      text: 'Somebody asks for a change.',
      data: { approval_id: randomUUID() },
    },
    retry_delays_seconds: [],
    again: false,
    ...values,
  };
  const handle = await client.workflow.start(notificationDeliveryWorkflowType, {
    ...notificationDeliveryStartOptions(input),
    taskQueue,
  });
  const delivery: DeliveryView = await handle.result();
  await recordedHistories('notification-delivery').record(name, await handle.fetchHistory());
  return delivery;
}

describe('the delivery of a notification, to each of its outcomes', () => {
  it('succeeds at once, by webhook or by mail', async () => {
    answers = [200];
    expect(await deliver('delivered', {})).toMatchObject({ status: 'delivered', attempts: 1, last_status: 200 });
    const mailed = { kind: 'email', receiver: { channel_id: null, user_id: userId } } as const;
    expect(await deliver('mailed', mailed)).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it('is retried after the given pauses, and fails when they are used up', async () => {
    answers = [500, 200];
    expect(await deliver('retried', { retry_delays_seconds: [1] })).toMatchObject({ status: 'delivered', attempts: 2 });
    answers = [500];
    expect(await deliver('failed', { retry_delays_seconds: [1] })).toMatchObject({ status: 'failed', attempts: 2 });
  });

  it('ends at once for a recipient that answers 410', async () => {
    answers = [410];
    expect(await deliver('gone', { retry_delays_seconds: [1] })).toMatchObject({ status: 'failed', attempts: 1 });
  });
});
