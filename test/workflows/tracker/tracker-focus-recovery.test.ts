import type { ChildProcess } from 'node:child_process';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { beginUpdate, focusSessionStartOptions, focusSessionWorkflowType } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

/** Real processes in real time: a worker of its own and a Temporal server that keeps its state in a file. */
let temporal: OwnTemporal;
let worker: ChildProcess;
let app: TestApi;
let me: SignedIn;

beforeAll(async () => {
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorkerProcess(app.env);
  me = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
  await temporal.stop();
});

/** Starts a session of a few seconds, shorter than the API allows; the workflow takes the length as input. */
async function start(session_id: number, duration_seconds: number) {
  const { temporal: client } = app.api.deps;
  const input = {
    actor: { tenant_id: defaultTenantId, user_id: me.user_id, session_id: me.session_id, request_id: null },
    session_id,
    duration_seconds,
    max_pause_seconds: 3_600,
    notes: null,
  };
  return client.call(({ workflow }) =>
    workflow.executeUpdateWithStart(beginUpdate, {
      startWorkflowOperation: new WithStartWorkflowOperation(focusSessionWorkflowType, {
        ...focusSessionStartOptions(input),
        taskQueue: client.taskQueue,
        workflowIdConflictPolicy: 'FAIL',
      }),
    }),
  );
}

const get = (rest: string) => app.call('GET', `/api/v1/master-admin/focus-sessions/${rest}`, { token: me.token });
const read = async (id: number) => (await get(String(id))).body;

const completionsOf = async (id: number): Promise<number> => {
  const rows = await asSuperuser(
    app,
    "select 1 from audit_logs where event in ('focus_session.expire', 'focus_session.complete') and resource_id = $1",
    [String(id)],
  );
  return rows.length;
};

describe('a focus session in real time (S0-85)', () => {
  it('completes once and on time although its worker is killed and another one takes over', async () => {
    const { due_at } = await start(900_001, 25);
    await killProcess(worker);
    worker = await startWorkerProcess(app.env);
    const ended = await eventually(() => read(900_001), ({ end_time }) => end_time !== null, 40_000);
    expect(ended).toMatchObject({ completed: true, ending: 'timer', end_time: due_at });
    expect(await completionsOf(900_001)).toBe(1);
  });

  it('U-1, S0-49: the remaining time runs while no worker answers', async () => {
    const { due_at } = await start(900_004, 60);
    await killProcess(worker);
    const first = await get('900004/remaining');
    expect(first).toMatchObject({ status: 200, body: { state: 'running', ends_at: due_at } });
    const later = await eventually(
      () => get('900004/remaining'),
      ({ body }) => body.remaining_seconds < first.body.remaining_seconds,
    );
    expect(later).toMatchObject({ status: 200, body: { state: 'running', ends_at: due_at } });
    worker = await startWorkerProcess(app.env);
    expect((await app.call('PUT', '/api/v1/master-admin/focus-sessions/900004/interrupt', { token: me.token })).status).toBe(200);
  });

  it('ends once and at its due time although worker and server are down then', async () => {
    const { due_at } = await start(900_002, 4);
    await Promise.all([temporal.kill(), killProcess(worker)]);
    await eventually(async () => Date.now(), (now) => now > Date.parse(due_at) + 500);
    const active = await read(900_002);
    expect(active).toMatchObject({ completed: false, remaining_seconds: 0 });
    expect(await get('900002/remaining')).toMatchObject({ status: 200, body: { state: 'running', remaining_seconds: 0 } });
    await temporal.restart();
    worker = await startWorkerProcess(app.env);
    const ended = await eventually(() => read(900_002), ({ end_time }) => end_time !== null, 90_000);
    expect(ended).toMatchObject({ completed: true, ending: 'timer', end_time: due_at });
    expect(await completionsOf(900_002)).toBe(1);
  });

  it('is ended by its own timer, long before a sweep would do it', async () => {
    const { due_at } = await start(900_003, 2);
    const ended = await eventually(() => read(900_003), ({ end_time }) => end_time !== null);
    expect(ended).toMatchObject({ ending: 'timer', end_time: due_at });
  });
});
