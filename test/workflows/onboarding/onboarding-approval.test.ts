import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../src/api/server.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { installTemporalRuntime, startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { Recording, dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { callProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

const base = '/api/admin/onboarding';
const recording = new Recording();
/** Tokens of all links of this run. */
const tokens: string[] = [];

let app: TestApi;
/** A second process of the API at log level trace, which serves the holders of links. */
let logged: RunningApi;
let worker: RunningWorker;
let admin: SignedIn;
let second: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  const log = createLogger({ level: 'trace', name: 'onboarding', destination: recording });
  installTemporalRuntime(log);
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), LOG_LEVEL: 'trace' });
  logged = await startApi(app.env, log);
  worker = await startWorker(app.env, log);
  admin = await app.signIn('role-super-admin');
  second = await app.signIn('role-super-admin', 1);
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await worker.close();
  await logged.close();
  await app.close();
});

async function makeLink(body: object = {}): Promise<{ id: string; token: string }> {
  const answer = await callApi(logged.url, 'POST', `${base}/create-link`, {
    token: admin.token,
    body: { recipient_name: 'Grace', purpose: 'Agent onboarding', ...body },
  });
  expect(answer).toMatchObject({ status: 201 });
  tokens.push(answer.body.token);
  return { id: answer.body.id, token: answer.body.token };
}

const visit = (method: string, token: string, rest = '', body?: object) =>
  callApi(logged.url, method, `${base}/o/${token}${rest}`, body === undefined ? {} : { body });
const detail = async (id: string) => (await app.call('GET', `${base}/link/${id}`, { token: admin.token })).body;
const roleId = async (code: string) => {
  const [row] = await asSuperuser<{ id: string }>(app, 'select id from admin_roles where code = $1 and tenant_id is null', [code]);
  return row?.id ?? '';
};

describe('roles that wait on a link', () => {
  it('are assigned once, by an approval of onboarding.grant-roles, and refer to the request', async () => {
    const strong = await roleId('role-provider-admin');
    const { id, token } = await makeLink({
      recipient_email: 'grace@example.com',
      account: { roles: [{ role_id: strong }] },
    });
    expect((await visit('POST', token, '/complete', { password: 'a long walk by the quiet river' })).status).toBe(200);
    const { outcome } = await detail(id);
    expect(outcome).toMatchObject({ account: 'created', roles_given: [], roles_waiting: [{ role_id: strong }] });
    const ask = () =>
      callProven(app, admin, 'POST', '/admin/approvals', {
        body: { action: 'onboarding.grant-roles', payload: { link_id: id } },
      });
    const asked = await ask();
    expect(asked).toMatchObject({ body: { action: 'onboarding.grant-roles', status: 'pending' } });
    const own = await drive.approve(admin, asked.body);
    expect(own.status).toBeGreaterThanOrEqual(403);
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect((await detail(id)).outcome).toMatchObject({ roles_given: [strong], roles_waiting: [] });
    const rows = await asSuperuser(
      app,
      'select role_id, approval_id from admin_role_assignments where user_id = $1 and revoked_at is null',
      [outcome.user_id],
    );
    expect(rows).toEqual([{ role_id: strong, approval_id: asked.body.id }]);
    expect(await ask()).toMatchObject({ status: 409, body: { code: 'resource.conflict' } });
  });
});

describe('a gate policy of the tenant for revoking', () => {
  it('opens a request instead of revoking; the approval revokes and ends the workflow', async () => {
    const written = await drive.putPolicy({ action: 'onboarding.revoke', environment: 'any' });
    expect(written.status).toBe(200);
    const { id, token } = await makeLink();
    const asked = await callProven(app, admin, 'POST', `${base}/link/${id}/revoke`, { body: { reason: 'left' } });
    expect(asked).toMatchObject({ status: 202, body: { action: 'onboarding.revoke', status: 'pending' } });
    expect((await visit('GET', token)).status).toBe(200);
    expect((await drive.approve(second, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect(await detail(id)).toMatchObject({ status: 'revoked', revoke_reason: 'left' });
    expect((await visit('GET', token)).body).toMatchObject({ status: 410, reason: 'revoked' });
  });
});

describe('the token of a link', () => {
  it('is in no log, workflow, table, refusal or metric, whatever is done with it', async () => {
    const { token } = await makeLink({ recipient_email: 'canary@example.com' });
    await visit('GET', token);
    await visit('HEAD', token);
    const refusals = [
      await visit('PUT', token, '/progress', { version: 7, answers: {} }),
      await visit('PUT', token, '/progress', { version: 'x' }),
      await visit('GET', `${token.slice(0, -1)}%00`),
      await visit('POST', token, '/unknown', {}),
      await visit('DELETE', token),
      await visit('POST', token, '/complete', { answers: { again: true } }),
      await visit('POST', token, '/complete', {}),
      await visit('GET', token),
    ];
    const metrics = await callApi(logged.url, 'GET', '/metrics');
    const tables = await dumpTables(app.database.adminUrl);
    const workflows = await dumpWorkflows(logged.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE);
    const places = new Map<string, string>([
      ['log', recording.text],
      ['refusals and metrics', JSON.stringify([refusals.map(({ body }) => body), metrics.body])],
      ...[...tables].map(([name, text]) => [`table ${name}`, text] as const),
      ...[...workflows].map(([id, text]) => [`workflow ${id}`, text] as const),
    ]);
    // Each place is really searched: it holds what it should.
    expect(recording.text).toContain('/api/admin/onboarding/o/:link_token');
    expect(tables.get('onboarding_link_access')).toContain(defaultTenantId);
    expect([...workflows.keys()].some((id) => id.startsWith('onboarding/'))).toBe(true);
    expect(tokens.length).toBeGreaterThanOrEqual(3);
    const found = [...places].flatMap(([place, text]) => tokens.filter((one) => text.includes(one)).map(() => place));
    expect(found).toEqual([]);
  });
});
