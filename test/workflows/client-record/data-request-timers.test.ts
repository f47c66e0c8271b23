import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { clientDataRequestWorkflowId } from '../../../src/workflows/client-record/client-data-request.contract.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { auditEvents } from '../../support/audit-events.ts';
import { eventually } from '../../support/eventually.ts';
import { createClientRecord } from '../../support/factories/client-record.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';

const requests = '/api/v1/client-data-requests';
const histories = recordedHistories('client-data-request');
const hour = 3_600_000;
const day = 24 * hour;

/** Weeks pass at once: the clock of the workflows is virtual, that of the database real. */
describe('requests of clients in virtual time', () => {
  let stage: VirtualTime;
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let manager: SignedIn;

  beforeAll(async () => {
    stage = await startInVirtualTime();
    ({ time, app } = stage);
    manager = await app.signIn('role-super-admin');
    await asSuperuser(app, "update tenants set time_zone = 'America/Sao_Paulo' where id = $1", [defaultTenantId]);
  });

  afterAll(async () => {
    await stage.close();
  });

  const call = (method: string, path: string, body?: unknown) =>
    app.call(method, path, { token: manager.token, ...(body === undefined ? {} : { body }) });

  /** The virtual clock runs ahead of the real one, by which the API counts: later requests get more days. */
  async function opened(days = 15): Promise<{ id: string; due_on: string }> {
    const settings = await call('GET', '/api/v1/client-settings');
    const body = { data_request_days: days, reminder_days: [5, 1] };
    const headers = { 'if-match': settings.headers.get('etag') ?? '' };
    expect((await app.call('PUT', '/api/v1/client-settings', { token: manager.token, body, headers })).status).toBe(200);
    const client = await createClientRecord(app);
    const answer = await call('POST', `/api/v1/clients/${client.id}/data-requests`, { kind: 'access' });
    expect(answer.status).toBe(201);
    return answer.body;
  }
  const handleOf = (id: string) =>
    app.api.deps.temporal.client.workflow.getHandle(clientDataRequestWorkflowId({ tenant_id: defaultTenantId, request_id: id }));
  /** What was told of a request, out of the entries about its client. */
  const events = async (id: string) => {
    const [request] = await asSuperuser<{ client_id: string }>(app, 'select client_id from client_data_requests where id = $1', [id]);
    const seen = await auditEvents(app, 'client', request?.client_id ?? '');
    return seen.filter((event) => /\.(remind|overdue)$/.test(event)).map((event) => event.replace('client-data-request.', ''));
  };
  const told = (id: string, expected: readonly string[]) =>
    eventually(() => events(id), (seen) => JSON.stringify(seen) === JSON.stringify(expected), 60_000);
  /** Nine in the morning of a day before the due date, in São Paulo. */
  const morningBefore = (dueOn: string, days: number) => Date.parse(`${dueOn}T12:00:00Z`) - days * day;
  const sleepUntil = async (until: number) => {
    const left = until - (await time.currentTimeMs());
    if (left > 0) await time.sleep(left);
  };
  const deliveries = (id: string) =>
    asSuperuser<{ event_key: string; user_id: string; n: string }>(
      app,
      `select event_key, user_id, count(*)::int as n from notification_deliveries where event_key like $1 group by 1, 2 order by 1, 2`,
      [`client-data-request/${id}/%`],
    );

  it('reminds at nine on the days of the settings, tells once that a request is overdue, and ends when it is closed', async () => {
    const { id, due_on } = await opened();
    await sleepUntil(morningBefore(due_on, 5) - hour);
    expect(await events(id)).toEqual([]);
    await sleepUntil(morningBefore(due_on, 5) + hour);
    await told(id, ['remind']);
    await sleepUntil(morningBefore(due_on, 1) + hour);
    await told(id, ['remind', 'remind']);
    await sleepUntil(morningBefore(due_on, -1) - hour);
    expect(await events(id)).toEqual(['remind', 'remind']);
    await sleepUntil(morningBefore(due_on, -1) + hour);
    await told(id, ['remind', 'remind', 'overdue']);
    await time.sleep(3 * day);
    expect(await events(id)).toEqual(['remind', 'remind', 'overdue']);
    expect((await call('POST', `${requests}/${id}/withdraw`)).status).toBe(200);
    expect(await handleOf(id).result()).toEqual({ status: 'withdrawn' });

    const sent = await eventually(() => deliveries(id), (rows) => new Set(rows.map(({ event_key }) => event_key)).size === 3);
    const keys = ['due/1', 'due/5', 'overdue'].map((key) => `client-data-request/${id}/${key}`);
    expect([...new Set(sent.map(({ event_key }) => event_key))]).toEqual(keys);
    expect(sent.every(({ n }) => Number(n) === 1)).toBe(true);
    const [agent] = await asSuperuser<{ id: string }>(
      app,
      `select a.user_id as id from admin_role_assignments a join admin_roles r on r.id = a.role_id where r.code = 'role-junior-agent' limit 1`,
    );
    const people = sent.map(({ user_id }) => user_id);
    expect(people).toContain(manager.user_id);
    expect(people).not.toContain(agent?.id);
    const history = await handleOf(id).fetchHistory();
    expect(JSON.stringify(history)).not.toContain('Some Client');
    await histories.record('overdue-withdrawn', history);
  });

  it('notices within a day what nobody has told it', async () => {
    const { id } = await opened(60);
    await asSuperuser(app, "update client_data_requests set status = 'refused' where id = $1", [id]);
    await time.sleep(day + hour);
    expect(await handleOf(id).result()).toEqual({ status: 'refused' });
    expect(await events(id)).toEqual([]);
    await histories.record('signal-lost', await handleOf(id).fetchHistory());
  });

  it('S1-63: tells nothing while the tenant is suspended, and the latest news within a day after', async () => {
    const { id, due_on } = await opened(90);
    await asSuperuser(app, "update tenants set status = 'suspended' where id = $1", [defaultTenantId]);
    await sleepUntil(morningBefore(due_on, 1) + hour);
    expect(await events(id)).toEqual([]);
    await asSuperuser(app, "update tenants set status = 'active' where id = $1", [defaultTenantId]);
    await time.sleep(day);
    await told(id, ['remind']);
    const sent = await eventually(() => deliveries(id), (rows) => rows.length > 0);
    expect(new Set(sent.map(({ event_key }) => event_key))).toEqual(new Set([`client-data-request/${id}/due/1`]));
    await asSuperuser(app, "update client_data_requests set status = 'withdrawn' where id = $1", [id]);
    await handleOf(id).signal('changed');
    expect(await handleOf(id).result()).toEqual({ status: 'withdrawn' });
    await histories.record('suspended', await handleOf(id).fetchHistory());
  });
});

describe('recorded histories of requests of clients', () => {
  it('replay with the current code', async () => {
    expect(await histories.names()).toEqual(expect.arrayContaining(['outage', 'overdue-withdrawn', 'signal-lost', 'suspended']));
    await histories.replayAll();
  });
});
