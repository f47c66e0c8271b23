import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { clientDataRequestWorkflowId } from '../../../src/workflows/client-record/client-data-request.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { createClientRecord } from '../../support/factories/client-record.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

/** Real processes in real time: the worker is one of its own, so that it can be killed. */
let app: TestApi;
let manager: SignedIn;
let worker: ChildProcess;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  manager = await app.signIn('role-super-admin');
  worker = await startWorkerProcess(app.env);
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
});

const told = async (id: string) =>
  asSuperuser<{ event_key: string; user_id: string }>(app, 'select event_key, user_id from notification_deliveries where event_key like $1', [
    `client-data-request/${id}/%`,
  ]);
const overdueAt = async (id: string) => {
  const [row] = await asSuperuser<{ overdue_told_at: Date | null }>(app, 'select overdue_told_at from client_data_requests where id = $1', [id]);
  return row?.overdue_told_at ?? null;
};

describe('requests of clients in real time', () => {
  it('after an outage the latest news is told, once, and a repetition tells nobody twice', async () => {
    await killProcess(worker);
    const client = await createClientRecord(app);
    const received_on = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10);
    const { body } = await app.call('POST', `/api/v1/clients/${client.id}/data-requests`, { token: manager.token, body: { kind: 'erasure', received_on } });
    expect(body.is_overdue).toBe(true);
    expect(await told(body.id)).toEqual([]);
    const handle = app.api.deps.temporal.client.workflow.getHandle(
      clientDataRequestWorkflowId({ tenant_id: defaultTenantId, request_id: body.id }),
    );

    worker = await startWorkerProcess(app.env);
    await eventually(() => overdueAt(body.id), (at) => at !== null);
    const first = await told(body.id);
    expect(new Set(first.map(({ event_key }) => event_key))).toEqual(new Set([`client-data-request/${body.id}/overdue`]));
    await killProcess(worker);
    // As if the worker had died between the notifications and the mark.
    await asSuperuser(app, 'update client_data_requests set overdue_told_at = null where id = $1', [body.id]);
    await handle.signal('changed');
    worker = await startWorkerProcess(app.env);
    await eventually(() => overdueAt(body.id), (at) => at !== null);
    const again = await told(body.id);
    expect(again.map(({ user_id }) => user_id).toSorted()).toEqual([...new Set(again.map(({ user_id }) => user_id))].toSorted());

    await killProcess(worker);
    const closed = await app.call('POST', `/api/v1/client-data-requests/${body.id}/refuse`, { token: manager.token, body: { reason: 'unknown person' } });
    expect(closed.status).toBe(200);
    worker = await startWorkerProcess(app.env);
    expect(await handle.result()).toEqual({ status: 'refused' });
    await recordedHistories('client-data-request').record('outage', await handle.fetchHistory());
  });
});
