import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { focusSessionWorkflowId } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { fromNow, hour, uniqueName } from '../../support/factories/defaults.ts';
import { startCommitProxy } from '../../support/servers/commit-proxy.ts';
import type { CommitProxy } from '../../support/servers/commit-proxy.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { callProven } from '../../support/second-factor.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

let temporal: OwnTemporal;
let commits: CommitProxy;
/** To the database through the relay that loses answers. */
let way: string;
let app: TestApi;
let workers: ChildProcess[];
let approver: SignedIn;
let drive: ApprovalDriver;

/** One more worker; those before it are dead. */
async function startWorkerAt(url: string): Promise<void> {
  workers.push(await startWorkerProcess({ ...app.env, DATABASE_URL: url }));
}

beforeAll(async () => {
  workers = [];
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address });
  const address = new URL(app.env.DATABASE_URL);
  commits = await startCommitProxy({ host: address.hostname, port: Number(address.port) });
  address.host = `${commits.host}:${commits.port}`;
  way = address.href;
  await startWorkerAt(way);
  approver = await app.signIn('role-super-admin', 1);
  drive = approvalDriver(app, await app.signIn('role-super-admin'));
}, 90_000);

afterAll(async () => {
  for (const worker of workers) await killProcess(worker);
  await app.close();
  await commits.close();
  await temporal.stop();
});

const handleOf = (workflowId: string) => app.api.deps.temporal.client.workflow.getHandle(workflowId);

/** Sends a command whose worker dies, together with Temporal, as soon as it is committed; then both are there again. */
async function withDeathAtCommit(command: () => Promise<Answer>): Promise<Answer> {
  let dead: Promise<unknown> = Promise.resolve();
  commits.cutNext('after-commit', () => (dead = Promise.all([...workers.map(killProcess), temporal.kill()])));
  const answer = await command();
  await dead;
  await temporal.restart();
  await startWorkerAt(way);
  return answer;
}

describe('T-1: a command that is committed when worker and Temporal die together', () => {
  it('is followed by the change, where it was the approval of one', async () => {
    const request = await drive.opened(uniqueName('flag'));
    // The announcement of the opening brings the row with it, and would tell the workflow by chance.
    await eventually(
      () => handleOf(approvalWorkflowId(defaultTenantId, request.id)).describe(),
      ({ raw }) => raw.pendingActivities?.length === 0,
    );
    expect(await withDeathAtCommit(() => drive.approve(approver, request))).toMatchObject({ status: 200, body: { status: 'approved' } });
    await drive.settled(request.id, 'executed', 60_000);
    expect(await drive.events(request.id)).toEqual(['opened', 'approve', 'execute']);
  }, 120_000);

  it('ends the workflow of a session, where it was the end of a paused one', async () => {
    const { token } = approver;
    const path = '/api/v1/master-admin/focus-sessions';
    const { body: session } = await app.call('POST', path, { token, body: {} });
    expect((await app.call('PUT', `${path}/${session.id}/pause`, { token, body: {} })).status).toBe(200);
    const completed = await withDeathAtCommit(() => app.call('PUT', `${path}/${session.id}/complete`, { token, body: {} }));
    expect(completed).toMatchObject({ status: 200, body: { state: 'completed' } });
    const [row] = await asSuperuser<{ command_id: string }>(app, 'select command_id from admin_focus_sessions where id = $1', [session.id]);
    const ended = await handleOf(focusSessionWorkflowId(defaultTenantId, row?.command_id ?? '')).result();
    expect(ended).toEqual({ session_id: session.id, state: 'completed' });
  }, 120_000);

  it('resumes a queue when the command is repeated', async () => {
    const [name, key] = [uniqueName('queue'), randomUUID()];
    const put = (path: string, body: object, headers = {}) => callProven(app, approver, 'POST', `/admin/queues${path}`, { body, headers });
    await put('', { name, provider: 'bullmq', source_name: name, environment: 'staging' });
    expect((await put(`/${name}/pause`, { reason: 'a release', paused_until: fromNow(hour) })).status).toBe(200);
    const resume = () => put(`/${name}/resume`, { reason: 'released' }, { 'idempotency-key': key });
    await withDeathAtCommit(resume);
    // The first repetition may come before the API has found Temporal again.
    const resumed = await eventually(resume, ({ status }) => status === 200, 60_000);
    expect(resumed.body.pause).toBeNull();
  }, 120_000);
});
