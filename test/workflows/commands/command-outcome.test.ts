import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningApi } from '../../../src/api/server.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startDueWorkflows } from '../../../src/services/commands/workflow-start.service.ts';
import {
  approvalStartOptions,
  approvalWorkflowId,
  approvalWorkflowType,
} from '../../../src/workflows/approval/approval.contract.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { createCampaign, createContact } from '../../support/factories/assignment.ts';
import { startCuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import type { CuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { temporalAddress } from '../../support/temporal/temporal.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

/** Of the processes that are to give up; in the others a busy machine must not be taken for a worker that is away. */
const hastyMs = 1_500;
const sessions = '/api/v1/master-admin/focus-sessions';

let app: TestApi;
let other: RunningApi;
let hasty: RunningApi;
/** Hasty too; its way to Temporal a test can cut. */
let cuttable: RunningApi;
let temporal: CuttableProxy;
let worker: InProcessWorker;
let me: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  const [host, port] = temporalAddress().split(':') as [string, string];
  temporal = await startCuttableProxy({ host, port: Number(port) });
  other = await app.another();
  hasty = await app.another({ COMMAND_DEADLINE_MS: hastyMs });
  cuttable = await app.another({ COMMAND_DEADLINE_MS: hastyMs, TEMPORAL_ADDRESS: `${temporal.host}:${temporal.port}` });
  worker = await startInProcessWorker(app);
  me = await app.signIn('role-super-admin');
});

afterEach(async () => {
  temporal.mend();
  await worker.stop();
  await worker.start();
  await eventually(async () => {
    const active = await call('GET', `${sessions}/active`);
    if (active.status === 200) await call('PUT', `${sessions}/${active.body.id}/interrupt`);
    return active.status;
  }, (status) => status === 404);
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await temporal.close();
});

const call = (method: string, path: string, body?: unknown, key?: string, url = app.url): Promise<Answer> =>
  callApi(url, method, path, {
    token: me.token,
    body: body ?? (method === 'GET' ? undefined : {}),
    headers: key === undefined ? {} : { 'idempotency-key': key },
  });
const start = (key?: string, url?: string) => call('POST', sessions, {}, key, url);
const settled = () => new Promise((resolve) => setTimeout(resolve, 2 * hastyMs));

async function rowsOf(table: string): Promise<number> {
  const [row] = await asSuperuser<{ count: string }>(app, `select count(*) from ${table} where tenant_id = $1`, [defaultTenantId]);
  return Number(row?.count);
}

const openCommands = async (key: string) =>
  (await asSuperuser(app, "select command_id from idempotency_keys where key = $1 and state = 'open'", [key])).length;

const auditOf = async (event: string, resource: string | number) => {
  const text = 'select seq from audit_logs where event = $1 and resource_id = $2';
  return (await asSuperuser(app, text, [event, String(resource)])).length;
};

describe('T-1: what was said to have changed nothing changes nothing, also later', () => {
  it('with the worker stopped and started again', async () => {
    await worker.stop();
    const before = await rowsOf('admin_focus_sessions');
    const key = randomUUID();
    const refused = await start(key, hasty.url);
    expect(refused).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    expect(refused.body.detail).toContain('Nothing was changed.');
    await worker.start();
    await settled();
    expect(await rowsOf('admin_focus_sessions')).toBe(before);
    const again = await start(key);
    expect(again.status).toBe(201);
    expect(await rowsOf('admin_focus_sessions')).toBe(before + 1);
  });

  it('with Temporal cut off from the API', async () => {
    temporal.cut();
    const before = await rowsOf('admin_focus_sessions');
    const refused = await start(undefined, cuttable.url);
    expect(refused).toMatchObject({ status: 503, body: { code: 'service.unavailable' } });
    temporal.mend();
    await settled();
    expect(await rowsOf('admin_focus_sessions')).toBe(before);
  });

  it('a verb that was refused for lack of time is not recorded by the worker that comes back', async () => {
    const { id } = (await start()).body;
    await worker.stop();
    const refused = await call('PUT', `${sessions}/${id}/pause`, undefined, undefined, hasty.url);
    expect(refused.status).toBe(503);
    await worker.start();
    await settled();
    expect(await auditOf('focus_session.pause', id)).toBe(0);
    expect((await call('GET', `${sessions}/${id}`)).body.state).toBe('running');
  });
});

describe('T-1: a repetition joins the command of the first request', () => {
  it('four at once over two processes begin one session and get one answer', async () => {
    const key = randomUUID();
    const before = await rowsOf('admin_focus_sessions');
    const answers = await Promise.all([start(key), start(key, other.url), start(key), start(key, other.url)]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await rowsOf('admin_focus_sessions')).toBe(before + 1);
  });

  it('waits while the worker is away, and gets the outcome of the command that is carried out meanwhile', async () => {
    await worker.stop();
    const key = randomUUID();
    const first = start(key);
    await eventually(() => openCommands(key), (count) => count === 1);
    const second = start(key, other.url);
    await worker.start();
    const answers = await Promise.all([first, second]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(answers[1]?.body.id).toBe(answers[0]?.body.id);
  });
});

describe('T-1: twenty verbs at once', () => {
  it.each(['pause', 'complete'])('%s once and are all answered, with one entry in the audit', async (verb) => {
    const { id } = (await start()).body;
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('PUT', `${sessions}/${id}/${verb}`)));
    const unexpected = answers.filter(({ status }) => status !== 200 && status !== 503);
    expect(unexpected.map(({ body }) => body)).toEqual([]);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(await auditOf(`focus_session.${verb}`, id)).toBe(1);
  });
});

describe('T-1: a workflow that nobody opens', () => {
  it('ends by itself, completed', async () => {
    const approval_id = randomUUID();
    const requester = { tenant_id: defaultTenantId, user_id: me.user_id, session_id: me.session_id, request_id: null };
    const policy = {
      steps: [],
      review_window_seconds: 3_600,
      execution_window_seconds: 3_600,
      reminder_interval_seconds: 0,
      bypass_review_seconds: 3_600,
      bypassers: [],
    };
    const input = { requester, approval_id, action: 'flag.toggle', environment: null, digest: '0'.repeat(64), reason: null, policy };
    const { client, taskQueue } = app.api.deps.temporal;
    await client.workflow.start(approvalWorkflowType, {
      ...approvalStartOptions({ ...input, open_within_ms: 500 }),
      taskQueue,
    });
    const handle = client.workflow.getHandle(approvalWorkflowId(defaultTenantId, approval_id));
    expect(await handle.result()).toEqual({ approval_id, status: 'never-opened' });
    expect((await handle.describe()).status.name).toBe('COMPLETED');
  });
});

describe('T-51: what a committed change waits for', () => {
  // Commands of the tests before whose answer was lost wait for another reason.
  const waitingBatches = "(select * from workflow_starts where kind = 'assignment-batch') batches";

  it('is started by a worker when the API could not reach Temporal', async () => {
    const campaign = await createCampaign(app, { created_by: me.user_id });
    const contact = await createContact(app, { created_by: me.user_id });
    temporal.cut();
    const path = `/api/admin/campaigns/${campaign.id}/auto-assign`;
    const accepted = await call('POST', path, { contact_ids: [contact.id] }, randomUUID(), cuttable.url);
    expect(accepted.status).toBe(202);
    expect(await rowsOf(waitingBatches)).toBe(1);
    await eventually(
      async () => {
        await startDueWorkflows(worker.deps);
        return rowsOf(waitingBatches);
      },
      (count) => count === 0,
    );
    const batch = await eventually(
      () => call('GET', `/api/admin/assignment-batches/${accepted.body.id}`),
      ({ body }) => body.status !== 'running',
    );
    expect(batch.body.status).toBe('completed');
  });
});
