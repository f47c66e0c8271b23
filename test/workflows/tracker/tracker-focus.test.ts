import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { focusEndings } from '../../../src/domain/tracker/tracker-focus.ts';
import { focusSessionWorkflowId } from '../../../src/workflows/tracker/focus-session.contract.ts';
import { searchAttributes } from '../../../src/workflows/shared/search-attributes.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { eventually } from '../../support/eventually.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { startInVirtualTime } from '../../support/temporal/virtual-time.ts';
import type { VirtualTime } from '../../support/temporal/virtual-time.ts';
import { createFocusSession } from '../../support/factories/tracker.ts';

const path = '/api/v1/master-admin/focus-sessions';
const histories = recordedHistories('focus-session');

/** Time is skipped. In the second round the cache is so small that every workflow is replayed on every task. */
describe.each([
  { cache: 'as it comes', variables: {} },
  { cache: 'of three workflows', variables: { TEMPORAL_MAX_CACHED_WORKFLOWS: '3' } },
])('focus session in virtual time, with a workflow cache $cache', ({ variables }) => {
  let stage: VirtualTime;
  let time: TestWorkflowEnvironment;
  let app: TestApi;
  let me: SignedIn;

  beforeAll(async () => {
    stage = await startInVirtualTime(variables);
    ({ time, app } = stage);
    me = await app.signIn('role-super-admin');
  });

  afterAll(async () => {
    await stage.close();
  });

  beforeEach(async () => {
    const active = await call('GET', '/active');
    if (active.status === 200) await call('PUT', `/${active.body.id}/interrupt`);
  });

  const call = (method: string, rest = '', body?: unknown): Promise<Answer> =>
    app.call(method, `${path}${rest}`, { token: me.token, body });
  const handleOf = async (id: number) => {
    const rows = await asSuperuser<{ command_id: string }>(app, 'select command_id from admin_focus_sessions where id = $1', [id]);
    return time.client.workflow.getHandle(focusSessionWorkflowId(defaultTenantId, rows[0]?.command_id ?? id));
  };
  const ended = (id: number) => eventually(() => call('GET', `/${id}`), ({ body }) => body.end_time !== null);
  const minutesBetween = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 60_000;
  const auditOf = async (id: number) => {
    const rows = await asSuperuser<{ event: string }>(
      app,
      "select event from audit_logs where event like 'focus_session.%' and resource_id = $1 order by seq",
      [String(id)],
    );
    return rows.map(({ event }) => event);
  };

  it('S0-57, S0-85: completes by itself after fifty minutes, exactly once', async () => {
    const started = await call('POST', '', {});
    expect(started.status).toBe(201);
    expect(started.body).toMatchObject({ duration_minutes: 50, state: 'running', completed: false, end_time: null });
    const { id, start_time, due_at } = started.body;
    expect(minutesBetween(start_time, due_at)).toBe(50);
    await time.sleep('49 minutes');
    expect((await call('GET', `/${id}`)).body.completed).toBe(false);
    await time.sleep('2 minutes');
    const { body } = await ended(id);
    expect(body).toMatchObject({ completed: true, interrupted: false, ending: 'timer', actual_minutes: 50, end_time: due_at });
    await (await handleOf(id)).result();
    expect(await auditOf(id)).toEqual(['focus_session.begin', 'focus_session.expire']);
    expect((await call('GET', '/active')).status).toBe(404);
  });

  it('S0-48, S0-85: completing records the actual minutes, and repeating it changes nothing', async () => {
    const { id } = (await call('POST', '', { duration_minutes: 25, notes: 'proposal' })).body;
    await time.sleep('10 minutes');
    const completed = await call('PUT', `/${id}/complete`);
    expect(completed.status).toBe(200);
    expect(completed.body).toMatchObject({ completed: true, ending: 'manual', actual_minutes: 10, notes: 'proposal' });
    const again = await call('PUT', `/${id}/complete`, { notes: 'again' });
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ end_time: completed.body.end_time, notes: 'proposal' });
    const late = await call('PUT', `/${id}/interrupt`);
    expect(late.status).toBe(409);
    expect(late.body).toMatchObject({ code: 'focus.ended', session: { id, completed: true } });
    expect(await auditOf(id)).toEqual(['focus_session.begin', 'focus_session.complete']);
  });

  it('S0-83: interrupts with notes; the endings exclude each other', async () => {
    const { id } = (await call('POST')).body;
    const interrupted = await call('PUT', `/${id}/interrupt`, { notes: 'fire alarm' });
    expect(interrupted.body).toMatchObject({ interrupted: true, completed: false, ending: 'interrupted', notes: 'fire alarm' });
    expect((await call('PUT', `/${id}/interrupt`)).status).toBe(200);
    expect((await call('PUT', `/${id}/complete`)).status).toBe(409);
  });

  it('pauses and resumes; the remaining time comes from the workflow', async () => {
    const { id, due_at } = (await call('POST')).body;
    await time.sleep('10 minutes');
    const paused = await call('PUT', `/${id}/pause`);
    expect(paused.body.state).toBe('paused');
    expect((await call('PUT', `/${id}/pause`)).body.paused_at).toBe(paused.body.paused_at);
    await time.sleep('1 hour');
    const left = await call('GET', `/${id}/remaining`);
    expect(left.body).toMatchObject({ state: 'paused', ends_at: null });
    expect(Math.round(left.body.remaining_seconds / 60)).toBe(40);
    const resumed = await call('PUT', `/${id}/resume`);
    expect(resumed.body.state).toBe('running');
    expect(Math.round(minutesBetween(due_at, resumed.body.due_at))).toBe(60);
    const { ends_at } = (await call('GET', `/${id}/remaining`)).body;
    expect(Date.parse(ends_at)).toBe(Date.parse(resumed.body.due_at));
    await time.sleep('41 minutes');
    expect((await ended(id)).body).toMatchObject({ ending: 'timer', actual_minutes: 50 });
    expect(await auditOf(id)).toEqual(['begin', 'pause', 'resume', 'expire'].map((event) => `focus_session.${event}`));
    expect((await call('PUT', `/${id}/pause`)).status).toBe(409);
    expect((await call('GET', `/${id}/remaining`)).body).toEqual({ state: 'completed', remaining_seconds: 0, ends_at: null });
  });

  it('a forgotten pause ends the session as interrupted', async () => {
    const { id } = (await call('POST')).body;
    await time.sleep('5 minutes');
    await call('PUT', `/${id}/pause`);
    await time.sleep('13 hours');
    expect((await ended(id)).body).toMatchObject({ interrupted: true, ending: 'pause_limit', actual_minutes: 5 });
  });

  it('S0-84: of twenty parallel starts one succeeds, the others answer 409 with the active one', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST')));
    const [started, ...others] = answers.toSorted((one, other) => one.status - other.status);
    expect(started?.status).toBe(201);
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 19 }, () => 409));
    for (const { body } of others) {
      expect(body).toMatchObject({ code: 'focus.already-active', active: { id: started?.body.id, state: 'running' } });
    }
    expect((await call('GET', '/active')).body.id).toBe(started?.body.id);
    const second = createFocusSession(app, { user_id: me.user_id });
    await expect(second).rejects.toMatchObject({ constraint: 'uq_focus_active' });
  });

  it('S0-85: completions that race each other and the timer are recorded once', async () => {
    const { id } = (await call('POST', '', { duration_minutes: 1 })).body;
    await time.sleep('59 seconds');
    const [answers] = await Promise.all([
      Promise.all(Array.from({ length: 8 }, () => call('PUT', `/${id}/complete`))),
      time.sleep('2 seconds'),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.end_time)).size).toBe(1);
    expect(await auditOf(id)).toHaveLength(2);
  });

  it('operators see the id of the user, when the session ends and how it ended', async () => {
    const { id, due_at } = (await call('POST')).body;
    const running = await (await handleOf(id)).describe();
    expect(await running.staticSummary()).toBe(`Focus session of user ${me.user_id}`);
    expect(running.typedSearchAttributes.get(searchAttributes.requestedBy)).toBe(me.user_id);
    const details = async () =>
      (await (await handleOf(id)).query<{ currentDetails?: string }>(
        '__temporal_workflow_metadata',
      )).currentDetails;
    expect(await details()).toContain(new Date(due_at).toISOString());
    await call('PUT', `/${id}/interrupt`);
    await (await handleOf(id)).result();
    expect(await details()).toMatch(/^Interrupted at /);
    const after = await (await handleOf(id)).describe();
    expect(after.typedSearchAttributes.get(searchAttributes.focusState)).toBe('interrupted');
    expect(JSON.stringify(await (await handleOf(id)).fetchHistory())).not.toContain(me.email);
  });

  it('after an operator cancelled the workflow the person can start another session', async () => {
    const { id } = (await call('POST')).body;
    await (await handleOf(id)).cancel();
    expect((await ended(id)).body).toMatchObject({ interrupted: true });
  });

  it('S0-47: input is validated, sessions of other people are answered 404, and the list has pages', async () => {
    expect((await call('POST', '', { duration_minutes: 0 })).status).toBe(422);
    expect((await call('GET', '/4711')).status).toBe(404);
    expect((await call('PUT', '/4711/complete')).status).toBe(404);
    const { id } = (await call('POST')).body;
    const other = await app.signIn('role-super-admin', 1);
    for (const rest of [`/${id}`, `/${id}/remaining`]) {
      expect((await app.call('GET', `${path}${rest}`, { token: other.token })).status).toBe(404);
    }
    expect((await app.call('PUT', `${path}/${id}/complete`, { token: other.token })).status).toBe(404);
    const first = await call('GET', '?limit=2');
    const second = await call('GET', `?limit=2&cursor=${first.body.next_cursor}`);
    expect([...first.body.items, ...second.body.items].map((one: { id: number }) => one.id)).toHaveLength(4);
    expect((await call('GET', '?to=2020-01-01T00:00:00Z')).body.items).toEqual([]);
  });

  it('all histories replay; those of an ending without a recorded history are kept', async () => {
    const { items } = (await call('GET', '?limit=100')).body;
    for (const { id, ending, paused_ms } of items) {
      const history = await (await handleOf(id)).fetchHistory();
      if (ending !== null) await histories.record(paused_ms > 0 ? `${ending}-after-pause` : ending, history);
    }
    expect(items.length).toBeGreaterThan(5);
  });
});

describe('committed histories of focus sessions', () => {
  it('cover every ending and replay with the present code', async () => {
    expect(await histories.names()).toEqual(expect.arrayContaining([...focusEndings]));
    await histories.replayAll();
  });
});
