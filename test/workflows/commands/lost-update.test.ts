import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { approvalWorkflowId } from '../../../src/workflows/approval/approval.contract.ts';
import { configRolloutWorkflowId, rolloutStageQuery } from '../../../src/workflows/config/config-rollout.contract.ts';
import { integrationSyncWorkflowId } from '../../../src/workflows/integration/integration-sync.contract.ts';
import { pausePhaseQuery, queuePauseWorkflowId } from '../../../src/workflows/queue/queue-pause.contract.ts';
import { focusSessionWorkflowId } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { configDriver } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { integrationDriver } from '../../support/drivers/integration.ts';
import { eventually } from '../../support/eventually.ts';
import { fromNow, hour, uniqueName } from '../../support/factories/defaults.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
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
let config: ConfigDriver;
let service: KeyService;
let integrations: ReturnType<typeof integrationDriver>;

/** One more worker; those before it are dead. */
async function startWorkerAt(url: string): Promise<void> {
  workers.push(await startWorkerProcess({ ...app.env, DATABASE_URL: url }));
}

beforeAll(async () => {
  workers = [];
  temporal = await startOwnTemporal();
  service = await KeyService.start();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, OUTBOUND_ALLOW: service.host });
  const address = new URL(app.env.DATABASE_URL);
  commits = await startCommitProxy({ host: address.hostname, port: Number(address.port) });
  address.host = `${commits.host}:${commits.port}`;
  way = address.href;
  await startWorkerAt(way);
  approver = await app.signIn('role-super-admin', 1);
  const requester = await app.signIn('role-super-admin');
  drive = approvalDriver(app, requester);
  config = configDriver(app, requester);
  integrations = integrationDriver(app, approver);
});

afterAll(async () => {
  for (const worker of workers) await killProcess(worker);
  await app.close();
  await commits.close();
  await temporal.stop();
  await service.stop();
});

const twoStages = {
  strategy: { kind: 'custom', stages: [{ percentage: 50, bake_seconds: 3_600 }, { percentage: 100, bake_seconds: 0 }] },
};

async function registeredQueue() {
  const name = uniqueName('queue');
  const put = (path: string, body: object, headers = {}) => callProven(app, approver, 'POST', `/admin/queues${path}`, { body, headers });
  expect((await put('', { name, provider: 'bullmq', source_name: name, environment: 'staging' })).status).toBe(201);
  return { name, put };
}

async function pausedQueue() {
  const { name, put } = await registeredQueue();
  expect((await put(`/${name}/pause`, { reason: 'a release', paused_until: fromNow(hour) })).status).toBe(200);
  return { name, put };
}

const handleOf = (workflowId: string) => app.api.deps.temporal.client.workflow.getHandle(workflowId);

/**
 * Sends a command whose worker dies, together with Temporal, as soon as it is committed; then both are there again.
 *
 * @param toldIn when a worker tells the workflow of it at the earliest: at once, unless a test needs it not to know.
 */
async function withDeathAtCommit(command: () => Promise<Answer>, toldIn = '0 s'): Promise<Answer> {
  let dead: Promise<unknown> = Promise.resolve();
  commits.cutNext('after-commit', () => (dead = Promise.all([...workers.map(killProcess), temporal.kill()])));
  const answer = await command();
  await dead;
  // As if the seconds in which the answer may still come were over.
  await asSuperuser(
    app,
    "update workflow_starts set due_at = now() + $1::interval where kind like '%-refresh' or kind = 'rotation-retry'",
    [toldIn],
  );
  await temporal.restart();
  await startWorkerAt(way);
  await eventually(() => app.call('GET', '/health/ready'), ({ status }) => status === 200, 60_000);
  return answer;
}

describe('T-1: a command whose workflow has answered', () => {
  it('leaves nothing behind that would tell it again', async () => {
    const request = await drive.opened(uniqueName('flag'));
    expect((await drive.approve(approver, request)).status).toBe(200);
    await drive.settled(request.id, 'executed', 60_000);
    const waiting = "select 1 from workflow_starts where kind = 'approval-refresh' and input ->> 'approval_id' = $1";
    // Before a worker would tell it again.
    await eventually(() => asSuperuser(app, waiting, [request.id]), (rows) => rows.length === 0, 10_000);
  });
});

/**
 * The API answers from the row and sends nothing again, so what the workflow gets to know it would get to know as well if the API
 * had died with the others.
 */
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
  });

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
  });

  it('pauses a session, whose timer then waits', async () => {
    const { token } = approver;
    const path = '/api/v1/master-admin/focus-sessions';
    const { body: session } = await app.call('POST', path, { token, body: {} });
    await withDeathAtCommit(() => app.call('PUT', `${path}/${session.id}/pause`, { token, body: {} }));
    const remaining = () => app.call('GET', `${path}/${session.id}/remaining`, { token });
    await eventually(remaining, ({ body }) => body.state === 'paused', 60_000);
    const resumed = await app.call('PUT', `${path}/${session.id}/resume`, { token, body: {} });
    expect(resumed).toMatchObject({ status: 200, body: { state: 'running' } });
    // The time of the pause is not lost with the update that began it.
    expect(Date.parse(resumed.body.due_at)).toBe(Date.parse(session.due_at) + resumed.body.paused_ms);
    expect((await app.call('PUT', `${path}/${session.id}/complete`, { token, body: {} })).status).toBe(200);
  });

  it('pauses a rollout, which can then be resumed', async () => {
    const { id } = await config.started({ environment: 'staging', document: { limit: 2 } });
    await config.settled(id, 'succeeded');
    const rollout = await config.started({ environment: 'staging', document: { limit: 3 }, plan: twoStages });
    await config.settled(rollout.id, 'running');
    await withDeathAtCommit(() => config.say(rollout.id, 'pause'));
    expect(await config.events(rollout.id)).toEqual(['started', 'paused']);
    const stage = () => handleOf(configRolloutWorkflowId(defaultTenantId, 'staging')).query(rolloutStageQuery).catch(() => null);
    await eventually(stage, (state) => state?.status === 'paused', 60_000);
    expect((await config.say(rollout.id, 'resume')).status).toBe(200);
    expect((await config.say(rollout.id, 'abort')).status).toBe(200);
    expect(await config.events(rollout.id)).toEqual(['started', 'paused', 'resumed', 'aborted']);
  });

  it('resumes a queue, whether or not the command is repeated', async () => {
    const { name, put } = await pausedQueue();
    const key = randomUUID();
    const resume = () => put(`/${name}/resume`, { reason: 'released' }, { 'idempotency-key': key });
    await withDeathAtCommit(resume);
    const shown = () => app.call('GET', `/admin/queues/${name}`, { token: approver.token });
    await eventually(shown, ({ body }) => body.pause === null && body.live?.is_paused === false, 60_000);
    expect(await resume()).toMatchObject({ status: 200, body: { pause: null } });
  });

  it.each(['repeated', 'not repeated'])('ends a sync that was cancelled: the command is %s', async (repetition) => {
    const { id } = await integrations.connected(service);
    // The sync waits for ten minutes, as the service asks for.
    service.retryAfter = '600';
    service.trouble(/^GET \/records/, 503);
    const { body: job } = await integrations.sync(id);
    await eventually(
      () => handleOf(integrationSyncWorkflowId(defaultTenantId, id)).describe(),
      ({ raw }) => raw.pendingActivities?.[0]?.lastFailure != null,
    );
    const key = randomUUID();
    const path = `/admin/integrations/${id}/sync-jobs/${job.id}/cancel`;
    const cancel = () => app.call('POST', path, { token: approver.token, headers: { 'idempotency-key': key } });
    await withDeathAtCommit(cancel);
    if (repetition === 'repeated') {
      const again = await eventually(cancel, ({ status }) => status !== 503, 60_000);
      expect(again).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    }
    expect(await integrations.ended(id, job.id, 60_000)).toMatchObject({ status: 'cancelled' });
    expect(await integrations.events(id)).toEqual(['create', 'sync-begin', 'sync-cancel', 'sync-end']);
  });

  it('ends a sync that was cancelled, though it reads on before anybody tells it', async () => {
    const { id } = await integrations.connected(service);
    service.items = Array.from({ length: 3 }, (_, index) => ({ id: `late-${index}`, name: 'written after the cancellation' }));
    const page = service.hold(/^GET \/records/);
    const { body: job } = await integrations.sync(id);
    await page.arrived;
    const path = `/admin/integrations/${id}/sync-jobs/${job.id}/cancel`;
    await withDeathAtCommit(() => app.call('POST', path, { token: approver.token }), '1 hour');
    page.release();
    expect(await integrations.ended(id, job.id, 60_000)).toMatchObject({ status: 'cancelled', created_count: 0, page_count: 0 });
    expect(await integrations.events(id)).toEqual(['create', 'sync-begin', 'sync-cancel', 'sync-end']);
  });

  it('gives a rotation up at once, where its next try is a minute away', async () => {
    const { id } = await integrations.connected(service);
    // As often as it is tried within seconds; the new key is looked for once more when it is given up.
    service.trouble(/^POST \/keys/, 503, 503, 503, 503);
    const { body: rotation } = await integrations.rotate(id);
    await eventually(
      () => integrations.rotation(id, rotation.id),
      ({ next_attempt_at: next }) => next !== null && Date.parse(next) - Date.now() > 45_000,
      120_000,
    );
    const path = `/admin/integrations/${id}/rotations/${rotation.id}/abort`;
    const tryAgainAt = Date.parse((await integrations.rotation(id, rotation.id)).next_attempt_at);
    await withDeathAtCommit(() => app.call('POST', path, { token: approver.token }));
    await integrations.rotated(id, rotation.id, 'aborted', 90_000);
    expect(Date.now()).toBeLessThan(tryAgainAt);
  });
});

describe('T-1: a pause that the engine has made', () => {
  it('stays when its worker dies before it can tell, because a caller may have been told', async () => {
    const { name, put } = await registeredQueue();
    commits.cutNext('after-commit', () => void Promise.all(workers.map(killProcess)), /update "admin_queues" set "pause_state" = /);
    const pause = () => put(`/${name}/pause`, { reason: 'a release', paused_until: fromNow(hour) });
    // A Temporal that has just come back may refuse it: nothing is changed then.
    const pausing = eventually(pause, ({ status }) => status !== 503);
    const shown = () => app.call('GET', `/admin/queues/${name}`, { token: approver.token });
    const paused = await eventually(shown, ({ body }) => body.pause?.state === 'paused');
    // Longer than the workflow lets the engine be tried.
    await setTimeout(9_000);
    await startWorkerAt(way);
    expect(await pausing).toMatchObject({ status: 200, body: { pause: { pause_id: paused.body.pause.pause_id } } });
    const phase = () => handleOf(queuePauseWorkflowId(defaultTenantId, paused.body.id)).query(pausePhaseQuery).catch(() => null);
    await eventually(phase, (is) => is === 'paused');
    expect(await shown()).toMatchObject({ body: { pause: { state: 'paused' }, live: { is_paused: true } } });
    expect(await put(`/${name}/resume`, { reason: 'released' })).toMatchObject({ status: 200, body: { pause: null } });
  });
});
