import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { assignmentBatchWorkflowId } from '../../../src/workflows/assignment/assignment-batch.contract.ts';
import { assignmentDrainWorkflowId } from '../../../src/workflows/assignment/assignment-drain.contract.ts';
import { assignmentSweepWorkflowType } from '../../../src/workflows/assignment/assignment-sweep.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { addContacts, addPeople, assignmentDriver, openCounts } from '../../support/drivers/assignment.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';
import { createQueuedContact, newContactAssignment } from '../../support/factories/assignment.ts';
import { fromNow, hour } from '../../support/factories/defaults.ts';
import { insertRows } from '../../support/factories/row-insertion.ts';

let app: TestApi;
let admin: SignedIn;
let drive: ReturnType<typeof assignmentDriver>;
let worker: RunningWorker | null = null;

const start = async () => {
  worker = await startWorker(app.env, createLogger({ level: 'silent', name: 'test' }));
};
const stop = async () => {
  await worker?.close();
  worker = null;
};

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  drive = assignmentDriver(app, admin);
  await start();
});

afterAll(async () => {
  await stop();
  await app.close();
});

async function poolOf(count: number, settings: Record<string, unknown> = {}) {
  const campaign = await drive.campaign();
  const people = await addPeople(app, count);
  for (const person of people) await drive.join(person, campaign, settings);
  return { campaign, people, lead: people[0] ?? '' };
}

const finished = (id: string) =>
  eventually(async () => (await drive.batch(id)).body, ({ status }) => status !== 'running', 60_000);

const batches = recordedHistories('assignment-batch');
const drains = recordedHistories('assignment-drain');

/** The history of a workflow, once it has ended. */
const historyOf = async (workflowId: string) => {
  const handle = app.api.deps.temporal.client.workflow.getHandle(workflowId);
  await eventually(() => handle.describe(), ({ status }) => status.name !== 'RUNNING');
  return handle.fetchHistory();
};
const recordBatch = async (name: string, batchId: string) =>
  batches.record(name, await historyOf(assignmentBatchWorkflowId(defaultTenantId, batchId)));

/** Read from the table itself, because it is read often: the worker is to be killed in the middle of the batch. */
const settledOf = async (id: string): Promise<number> => {
  const [row] = await asSuperuser<{ settled_position: number }>(app, 'select settled_position from assignment_batches where id = $1', [id]);
  return row?.settled_position ?? 0;
};

const auditOf = async (contacts: readonly string[], event: string): Promise<number> => {
  const [row] = await asSuperuser<{ count: string }>(
    app,
    'select count(*) from audit_logs where event = $1 and resource_id = any($2)',
    [event, contacts],
  );
  return Number(row?.count);
};

describe('S3-39: bulk assignment is a workflow', () => {
  it('assigns fairly, audits each contact, and a repeated key adds nothing', async () => {
    const { campaign, people } = await poolOf(4);
    const contacts = await addContacts(app, 600);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await drive.autoAssign(campaign, { contact_ids: contacts }, headers);
    expect(first).toMatchObject({ status: 202, body: { kind: 'bulk', total: 600 } });
    expect(await finished(first.body.id)).toMatchObject({ status: 'completed', counts: { open: 0, assigned: 600 } });
    const again = await drive.autoAssign(campaign, { contact_ids: contacts }, headers);
    expect(again.body.id).toBe(first.body.id);
    const anew = await drive.autoAssign(campaign, { contact_ids: contacts });
    expect(await finished(anew.body.id)).toMatchObject({ counts: { assigned: 0, skipped: 600 } });
    const counts = await openCounts(app, campaign);
    expect(people.map((person) => counts.get(person))).toEqual([150, 150, 150, 150]);
    expect(await auditOf(contacts, 'contact.assign')).toBe(600);
    const items = await drive.call('GET', `/api/admin/assignment-batches/${first.body.id}/items?limit=3`);
    expect(items.body.items).toMatchObject([{ position: 1, outcome: 'assigned', reason: 'dealt' }, {}, {}]);
    await recordBatch('bulk', first.body.id);
  });

  it('assigns all contacts of a source without an owner; those beyond the capacity wait in the queue', async () => {
    const source = `fair-${randomUUID()}`;
    const { campaign } = await poolOf(2, { max_open_contacts: 5 });
    await addContacts(app, 15, source);
    const { body } = await drive.autoAssign(campaign, { source });
    expect(await finished(body.id)).toMatchObject({ total: 15, counts: { assigned: 10, queued: 5 } });
    expect((await drive.queue(campaign)).body.items).toHaveLength(5);
    await recordBatch('bulk-with-queue', body.id);
  });
});

describe('S3-40: the queue', () => {
  it('assigns the oldest contact as soon as a member has capacity, and ends when nothing waits', async () => {
    const { campaign, lead } = await poolOf(1, { max_open_contacts: 1 });
    const [held = '', oldest = '', later = ''] = await addContacts(app, 3);
    for (const contact of [held, oldest, later]) await drive.deal(lead, campaign, [contact]);
    const freedAt = Date.now();
    expect((await drive.take(lead, held)).status).toBe(204);
    await eventually(() => drive.why(lead, oldest), ({ status }) => status === 200);
    // Two seconds are promised; it must not have been the sweep, a minute later.
    expect(Date.now() - freedAt).toBeLessThan(20_000);
    expect((await drive.queue(campaign)).body.items).toMatchObject([{ contact_id: later }]);
    await drive.change(lead, campaign, { max_open_contacts: null });
    await eventually(() => drive.queue(campaign), ({ body }) => body.items.length === 0);
    await drains.record('woken', await historyOf(assignmentDrainWorkflowId(defaultTenantId, campaign)));
  });

  it('assigns waiting contacts when an absence ends', async () => {
    const back = new Date(Date.now() + 10_000).toISOString();
    const { campaign, lead } = await poolOf(1, { paused_until: back });
    const [contact = ''] = await addContacts(app, 1);
    expect((await drive.deal(lead, campaign, [contact])).body.results[0].outcome).toBe('queued');
    await eventually(() => drive.why(lead, contact), ({ status }) => status === 200);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(back));
    await drains.record('absence-over', await historyOf(assignmentDrainWorkflowId(defaultTenantId, campaign)));
  });
});

/** Makes a user the owner of contacts; as rows, because this is not what is tested. */
const lookAfter = (user_id: string, campaign_id: string, contacts: readonly string[]) =>
  insertRows(
    app,
    'user_contact_assignment',
    contacts.map((contact_id) => newContactAssignment({ user_id, campaign_id, contact_id })),
  );

describe('reassignment after a deactivation', () => {
  it('matches its preview, survives a worker that is killed halfway, and audits each contact once', async () => {
    const { campaign, people, lead } = await poolOf(3);
    const contacts = await addContacts(app, 4_000);
    const loose = await addContacts(app, 2);
    await lookAfter(lead, campaign, contacts);
    await drive.give(lead, loose);
    const preview = await drive.call('GET', `/api/admin/users/${lead}/hand-over`);
    expect(preview.body).toMatchObject({ total: 4_002 });
    expect(preview.body.campaigns).toEqual([
      { campaign_id: campaign, contacts: 4_000, would_wait: 0, would_get: expect.arrayContaining(
        people.slice(1).map((person) => ({ user_id: person, contacts: 2_000 })),
      ) },
      { campaign_id: null, contacts: 2, would_get: [], would_wait: 2 },
    ]);

    await stop();
    const doomed = await startWorkerProcess(app.env);
    const shown = await drive.call('GET', `/admin/users/${lead}`);
    const closed = await callProven(app, admin, 'PUT', `/admin/users/${lead}`, {
      headers: { 'if-match': shown.headers.get('etag') ?? '' },
      body: { status: 'inactive' },
    });
    expect(closed.status).toBe(200);
    const batches = await drive.call('GET', '/api/admin/assignment-batches?limit=1');
    const { id } = batches.body.items[0];
    await eventually(() => settledOf(id), (settled) => settled > 0);
    await killProcess(doomed);
    const settled = await settledOf(id);
    expect(settled).toBeGreaterThan(0);
    expect(settled).toBeLessThan(4_002);
    await start();
    expect(await finished(id)).toMatchObject({ status: 'completed', total: 4_002, counts: { assigned: 4_000, queued: 2, open: 0 } });
    const counts = await openCounts(app, campaign);
    expect(people.map((person) => counts.get(person) ?? 0)).toEqual([0, 2_000, 2_000]);
    expect(await auditOf(contacts, 'contact.assign')).toBe(4_000);
    expect(await auditOf(loose, 'contact.queue')).toBe(2);
    await recordBatch('hand-over-killed', id);
  });

  it('goes to one user where one is named, and starts no batch without contacts', async () => {
    const [from = '', to = ''] = await addPeople(app, 2);
    const contacts = await addContacts(app, 3);
    await drive.give(from, contacts);
    const path = `/api/admin/users/${from}/hand-over`;
    const { status, body } = await drive.call('POST', path, { to_user_id: to });
    expect(status).toBe(202);
    expect(await finished(body.batch.id)).toMatchObject({ counts: { assigned: 3 } });
    const why = await drive.why(to, contacts[0] ?? '');
    expect(why.body).toMatchObject({ method: 'reassign', reason: { kind: 'handed_over', from_user_id: from }, replay: null });
    expect((await drive.call('POST', path, {})).body).toEqual({ batch: null });
  });
});

describe('cancelling a batch', () => {
  it('ends it, keeps what is done, and is refused for a finished one', async () => {
    await stop();
    const { campaign } = await poolOf(1);
    const { body } = await drive.autoAssign(campaign, { contact_ids: await addContacts(app, 10) });
    const path = `/api/admin/assignment-batches/${body.id}/cancel`;
    expect(await drive.call('POST', path)).toMatchObject({ status: 202, body: { status: 'cancelled', counts: { open: 10 } } });
    await start();
    const ended = await finished(body.id);
    expect(ended).toMatchObject({ status: 'cancelled', counts: { open: 10 } });
    await recordBatch('cancelled', body.id);
    expect(await drive.call('POST', path)).toMatchObject({ status: 409, body: { code: 'assignment.batch-finished' } });
  });

  it('T-1: has ended it with the answer, also while Temporal tells nobody, and names who did it', async () => {
    const other = await app.signIn('role-regional-manager');
    const { campaign, people } = await poolOf(2);
    const contacts = await addContacts(app, 5_000);
    const { body } = await drive.autoAssign(campaign, { contact_ids: contacts });
    const path = `/api/admin/assignment-batches/${body.id}`;
    // The worker works through all chunks in one task, so a signal comes after the last one.
    await eventually(async () => (await drive.batch(body.id)).body, ({ counts }) => counts.assigned > 0);
    const cancelled = await app.call('POST', `${path}/cancel`, { token: other.token });
    expect(cancelled).toMatchObject({ status: 202, body: { status: 'cancelled' } });
    const { counts } = cancelled.body;
    expect(counts.open).toBeGreaterThan(0);
    await historyOf(assignmentBatchWorkflowId(defaultTenantId, body.id));
    expect((await drive.batch(body.id)).body).toMatchObject({ status: 'cancelled', counts });
    const held = await openCounts(app, campaign);
    expect(people.reduce((sum, person) => sum + (held.get(person) ?? 0), 0)).toBe(counts.assigned);
    const audited = await asSuperuser<{ event: string; user_id: string }>(
      app,
      "select event, user_id from audit_logs where resource_id = $1 and event <> 'assignment-batch.create'",
      [body.id],
    );
    expect(audited).toEqual([{ event: 'assignment-batch.cancel', user_id: other.user_id }]);
  });
});

describe('the sweep', () => {
  let sweeps = 0;
  const sweep = () =>
    app.api.deps.temporal.client.workflow.execute(assignmentSweepWorkflowType, {
      taskQueue: app.env.TEMPORAL_TASK_QUEUE,
      workflowId: `assignment-sweep-${app.env.TEMPORAL_TASK_QUEUE}-${(sweeps += 1)}`,
      args: [],
    });
  const lastBatch = async () => (await drive.call('GET', '/api/admin/assignment-batches?limit=1')).body.items[0];

  it('reassigns the contacts of a user who was deactivated by an approval', async () => {
    const { campaign, people, lead } = await poolOf(2);
    const contacts = await addContacts(app, 3);
    await lookAfter(lead, campaign, contacts);
    // The state after an approved user.delete, which runs in the worker.
    await asSuperuser(app, "update users set status = 'deleted' where id = $1", [lead]);
    expect(await sweep()).toMatchObject({ handed_over: 1 });
    const { id } = await lastBatch();
    expect(await finished(id)).toMatchObject({ status: 'completed', total: 3, counts: { assigned: 3 } });
    expect((await openCounts(app, campaign)).get(people[1] ?? '')).toBe(3);
    expect(await sweep()).toMatchObject({ handed_over: 0 });
  });

  it('leaves the contacts of a user who was activated again before anybody came to reassign them', async () => {
    const { campaign, lead } = await poolOf(2);
    await lookAfter(lead, campaign, await addContacts(app, 2));
    const before = await lastBatch();
    // The state after a deactivation whose follow-up was lost with its process, and an activation.
    const late = await asSuperuser<{ id: string }>(
      app,
      "insert into workflow_starts (id, tenant_id, kind, input, due_at) values (gen_random_uuid(), $1, 'user-deactivated', $2, now()) returning id",
      [defaultTenantId, { user_id: lead }],
    );
    await eventually(
      () => asSuperuser(app, 'select 1 from workflow_starts where id = $1', [late[0]?.id]),
      ({ length }) => length === 0,
    );
    expect(await lastBatch()).toEqual(before);
    expect((await openCounts(app, campaign)).get(lead)).toBe(2);
  });

  it('does nothing for a suspended tenant', async () => {
    const { campaign, lead } = await poolOf(2);
    await lookAfter(lead, campaign, await addContacts(app, 1));
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [lead]);
    await asSuperuser(app, "update tenants set status = 'suspended' where id = $1", [defaultTenantId]);
    expect(await sweep()).toEqual({ restarted: 0, woken: 0, handed_over: 0 });
    await asSuperuser(app, "update tenants set status = 'active' where id = $1", [defaultTenantId]);
    expect(await sweep()).toMatchObject({ handed_over: 1 });
  });

  it('restarts a batch whose workflow was lost, and leaves a running one alone', async () => {
    const { campaign } = await poolOf(2);
    await stop();
    const { body } = await drive.autoAssign(campaign, { contact_ids: await addContacts(app, 5) });
    await asSuperuser(app, "update assignment_batches set created_at = now() - interval '1 hour' where id = $1", [body.id]);
    const handle = app.api.deps.temporal.client.workflow.getHandle(assignmentBatchWorkflowId(defaultTenantId, body.id));
    await handle.terminate('lost');
    await start();
    expect(await sweep()).toMatchObject({ restarted: 1 });
    expect(await finished(body.id)).toMatchObject({ status: 'completed', counts: { assigned: 5 } });
    expect(await sweep()).toMatchObject({ restarted: 0 });
  });

  it('wakes a queue whose workflow was never started', async () => {
    const { campaign, lead } = await poolOf(1, { max_open_contacts: 0 });
    const [contact = ''] = await addContacts(app, 1);
    await createQueuedContact(app, { campaign_id: campaign, contact_id: contact, created_at: fromNow(-hour) });
    await asSuperuser(app, 'update user_campaign_assignment set max_open_contacts = null where user_id = $1', [lead]);
    // Whether the sweep has woken it is not checked: the workflow that the joining member has started may still run.
    await sweep();
    await eventually(() => drive.why(lead, contact), ({ status }) => status === 200);
  });
});

describe('a reassignment from a deleted campaign', () => {
  it('lets its contacts wait to be assigned by hand, because there is no pool any more', async () => {
    const { campaign, lead } = await poolOf(2);
    const contacts = await addContacts(app, 2);
    await lookAfter(lead, campaign, contacts);
    await asSuperuser(app, 'update campaigns set deleted_at = now() where id = $1', [campaign]);
    const { body } = await drive.call('POST', `/api/admin/users/${lead}/hand-over`, {});
    expect(await finished(body.batch.id)).toMatchObject({ status: 'completed', counts: { queued: 2 } });
  });
});

describe('recorded histories of batches and queues', () => {
  it('replay with the current code', async () => {
    expect(await batches.names()).toEqual(expect.arrayContaining(['bulk', 'bulk-with-queue', 'hand-over-killed', 'cancelled']));
    expect(await drains.names()).toEqual(expect.arrayContaining(['woken', 'absence-over']));
    await batches.replayAll();
    await drains.replayAll();
  });
});
