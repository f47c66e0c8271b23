import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { flagToggle } from '../../../src/services/flag/flag-toggle.action.ts';
import { runAction } from '../../../src/services/actions/run-action.ts';
import { createApprovalActivities } from '../../../src/activities/approval/approval.activities.ts';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver, plainFlag } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven, factorProof } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { quietTemporal, workflowBundlePath } from '../../support/temporal/temporal.ts';

let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let second: SignedIn;
let provider: SignedIn;
let regional: SignedIn;
let support: SignedIn;
let drive: ApprovalDriver;

/** The step of the safe policy. */
const administrators = { name: 'two', roles: ['role-super-admin', 'role-provider-admin'], users: [] };

beforeAll(async () => {
  await quietTemporal();
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
  second = await app.signIn('role-super-admin', 1);
  provider = await app.signIn('role-provider-admin');
  regional = await app.signIn('role-regional-manager');
  support = await app.signIn('role-support-staff');
  drive = approvalDriver(app, admin);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

describe('a production change (S2-15, S2-60, S2-39..43)', () => {
  it('waits for another person with a second factor, is then made once, and is recorded everywhere', async () => {
    const request = await drive.opened('main-job');
    expect(request).toMatchObject({
      action: 'flag.toggle',
      environment: 'production',
      status: 'pending',
      requested_by: admin.user_id,
      reason: 'launch day',
      open_step: 0,
    });
    expect((await drive.flag('main-job')).enabled).toBe(false);
    const shown = await drive.detail(request.id);
    expect(shown).toMatchObject({
      description: "Switch the flag 'main-job' on for everybody in production, from version 1.",
      payload: { key: 'main-job', enabled: true, version: 1 },
      undo: null,
    });
    const bare = await app.call('POST', `/admin/approvals/${request.id}/approve`, {
      token: provider.token,
      body: { digest: request.digest },
    });
    expect(bare.body.code).toBe('mfa.required');
    const decided = await drive.approve(provider, request);
    expect(decided).toMatchObject({
      status: 200,
      body: { status: 'approved', steps: [{ approved_by: [provider.user_id] }] },
    });
    const done = await drive.settled(request.id, 'executed');
    expect(await drive.flag('main-job')).toMatchObject({
      enabled: true,
      rollout_percentage: 100,
      version: 2,
      updated_by: admin.user_id,
    });
    expect(await drive.events(request.id)).toEqual(['opened', 'approve', 'execute']);
    const history = await app.call('GET', '/admin/feature-flags/main-job/history', { token: admin.token });
    expect(history.body.items[0]).toMatchObject({ change: 'toggled', approval_id: request.id, reason: 'launch day' });
    expect(done.undo).toMatchObject({ action: 'flag.update', payload: { version: 2, definition: { enabled: false } } });
    const audited = await asSuperuser<{ event: string }>(
      app,
      "select entry::jsonb ->> 'event' as event from audit_logs where entry::jsonb ->> 'workflow_id' like '%' || $1 order by seq",
      [request.id],
    );
    expect(audited.map(({ event }) => event)).toEqual([
      'approval.opened',
      'approval.approve',
      'flag.toggle',
      'approval.execute',
    ]);
  });

  it('S2-70: is never approved by its requester, whatever their role; the attempt is audited', async () => {
    const request = await drive.opened('own');
    expect((await drive.approve(admin, request)).body.code).toBe('approval.own-request');
    const refused = await asSuperuser(
      app,
      "select 1 from audit_logs where entry::jsonb ->> 'outcome' = 'refused' and entry::jsonb ->> 'reason' = 'approval.own-request'",
    );
    expect(refused.length).toBeGreaterThan(0);
  });

  it('T-8: is edited by its requester only, which voids the approvals', async () => {
    const request = await drive.opened('edited');
    const payload = { key: 'edited', environment: 'production', enabled: true, version: 1, reason: 'another wording' };
    const foreign = await drive.say(second, 'edit', request, { digest: request.digest, payload });
    expect(foreign).toMatchObject({ status: 403, body: { code: 'approval.not-author' } });
    const edited = await drive.say(admin, 'edit', request, { digest: request.digest, payload });
    expect(edited).toMatchObject({ status: 200, body: { revision: 2, editors: [admin.user_id], status: 'pending' } });
    expect((await drive.approve(provider, request)).body.code).toBe('approval.digest-mismatch');
    const shown = { id: request.id, digest: edited.body.digest };
    expect((await drive.approve(admin, shown)).body.code).toBe('approval.own-request');
    expect((await drive.approve(provider, shown)).status).toBe(200);
    await drive.settled(request.id, 'executed');
  });

  it('counts two approvals of one person once; the same idempotency key gets the first answer', async () => {
    await drive.setPolicy({ action: 'flag.create', steps: [{ ...administrators, quorum: 2 }] });
    const asked = await callProven(app, admin, 'POST', '/admin/feature-flags', {
      body: { key: 'twice', environment: 'production', ...plainFlag },
    });
    const request = asked.body;
    const [one, other] = await Promise.all([drive.approve(provider, request), drive.approve(provider, request)]);
    expect([one.status, other.status].sort()).toEqual([200, 409]);
    expect((await drive.detail(request.id)).steps[0]).toMatchObject({ approvals: 1, quorum: 2 });
    const headers = { 'idempotency-key': 'approve-twice' };
    const first = await drive.approve(second, request, headers);
    expect(first.status).toBe(200);
    const path = `/admin/approvals/${request.id}/approve`;
    const again = await callProven(app, second, 'POST', path, { body: { digest: request.digest }, headers });
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    await drive.settled(request.id, 'executed');
  });

  it('T-13: is not approved any more when the flag has changed since', async () => {
    const request = await drive.opened('overtaken');
    await callProven(app, admin, 'POST', '/admin/feature-flags/overtaken/emergency-off', {
      body: { environment: 'production', reason: 'not needed' },
    });
    await asSuperuser(app, "update admin_feature_flags set version = 7 where key = 'overtaken'");
    expect(await drive.detail(request.id)).toMatchObject({ is_stale: true, base_version: 1, current_version: 7 });
    expect(await drive.approve(provider, request)).toMatchObject({
      status: 409,
      body: { code: 'approval.stale', base_version: 1, current_version: 7 },
    });
    expect(await drive.flag('overtaken')).toMatchObject({ enabled: false, version: 7 });
    expect(await drive.events(request.id)).toEqual(['opened']);
  });

  it('is refused at once, with the current version, when it is stale already', async () => {
    await drive.productionFlag('born-stale');
    await asSuperuser(app, "update admin_feature_flags set version = 3, enabled = true where key = 'born-stale'");
    expect(await drive.requestToggle('born-stale')).toMatchObject({
      status: 409,
      body: { code: 'flag.version-conflict', current_version: 3 },
    });
  });
});

describe('gate policies (S2-68, S2-70)', () => {
  it('can ask for 1 of one role AND 2 of another, in that order; an open request keeps its policy', async () => {
    const steps = [
      { name: 'business', roles: ['role-regional-manager'], users: [], quorum: 1 },
      { ...administrators, name: 'platform', quorum: 2 },
    ];
    await drive.setPolicy({ steps });
    const request = await drive.opened('ordered');
    await drive.setPolicy({ steps: steps.slice(0, 1) });
    expect((await drive.approve(provider, request)).body.code).toBe('approval.step-not-open');
    expect((await drive.approve(regional, request)).body).toMatchObject({ status: 'pending', open_step: 1 });
    expect((await drive.approve(regional, request)).body.code).toBe('approval.already-decided');
    expect((await drive.approve(provider, request)).body.status).toBe('pending');
    expect((await drive.approve(second, request)).body.status).toBe('approved');
    await drive.settled(request.id, 'executed');
    await drive.dropPolicy();
  });

  it('are written with their version, and removed, by one person where that weakens nothing', async () => {
    const place = { action: 'flag.create', environment: 'staging' };
    const saved = await drive.putPolicy({ ...place, steps: [{ name: 'one', roles: administrators.roles, quorum: 1 }] });
    expect(saved.status).toBe(200);
    expect(saved.headers.get('etag')).toBe('"1"');
    expect((await drive.putPolicy({ ...place, gate: 'mfa', steps: [], version: 0 })).body.code).toBe('resource.conflict');
    await drive.dropPolicy('flag.create');
    const factor = await drive.putPolicy({ ...place, gate: 'mfa', steps: [] });
    const removed = await callProven(app, admin, 'DELETE', `/admin/approval-policies/${factor.body.id}`, {
      headers: { 'if-match': '"1"' },
    });
    expect(removed.status).toBe(204);
  });

  it('S2-70: refuse a quorum of 0, a missing one, one above the eligible people, and a gate below the floor', async () => {
    const place = { action: 'flag.update', environment: 'production' };
    const roles = ['role-regional-manager'];
    expect((await drive.putPolicy({ ...place, steps: [{ name: 'a', roles, quorum: 0 }] })).status).toBe(422);
    expect((await drive.putPolicy({ ...place, steps: [{ name: 'a', roles }] })).status).toBe(422);
    expect((await drive.putPolicy({ ...place, steps: [] })).body.errors).toMatchObject([{ pointer: '/steps' }]);
    expect((await drive.putPolicy({ ...place, steps: [{ name: 'a', roles, quorum: 2 }] })).body.errors).toMatchObject([
      { pointer: '/steps/0/quorum' },
    ]);
    expect((await drive.putPolicy({ ...place, gate: 'mfa' })).body.errors).toMatchObject([{ pointer: '/gate' }]);
    const stranger = { ...place, steps: [{ name: 'a', roles, quorum: 1 }], bypassers: [support.user_id] };
    expect((await drive.putPolicy(stranger)).body.errors).toMatchObject([{ pointer: '/bypassers/0' }]);
  });

  it('have no quorum of 0 in the database either', async () => {
    const insert = (steps: unknown) =>
      asSuperuser(
        app,
        `insert into admin_approval_policies (tenant_id, action, environment, gate, steps, review_window_seconds,
           execution_window_seconds, reminder_interval_seconds, bypass_review_seconds)
         values ($1, 'x', 'any', 'approval', $2, 3600, 3600, 0, 3600)`,
        [defaultTenantId, JSON.stringify(steps)],
      );
    for (const steps of [
      [],
      [{ name: 'a', quorum: 0 }],
      [{ name: 'a' }],
      [{ name: 'a', quorum: '1' }],
      [{ name: 'a', quorum: 1.5 }],
    ]) {
      await expect(insert(steps)).rejects.toThrow(/check constraint/);
    }
  });

  it('refuse a request that nobody but its requester could approve', async () => {
    const onlyMe = { name: 'me', roles: [], users: [admin.user_id], quorum: 1 };
    const written = await drive.putPolicy({ action: 'flag.update', environment: 'production', steps: [onlyMe] });
    expect(written).toMatchObject({ status: 422, body: { errors: [{ pointer: '/steps' }] } });
    await drive.setPolicy({ action: 'flag.update', steps: [onlyMe] });
    await drive.productionFlag('nobody');
    const answer = await callProven(app, admin, 'PUT', '/admin/feature-flags/nobody', {
      body: { environment: 'production', ...plainFlag, description: 'x' },
      headers: { 'if-match': '"1"' },
    });
    expect(answer).toMatchObject({ status: 409, body: { code: 'approval.policy-unsatisfiable' } });
  });

  it('S2-68: are listed with the gate of every changing endpoint, by environment where the gate is data', async () => {
    const { body } = await app.call('GET', '/admin/approvals/gates', { token: admin.token });
    const changing = app.api.deps.routes.filter(({ method }) => method !== 'get').map(({ operationId }) => operationId);
    expect(body.items.map((item: { operation_id: string }) => item.operation_id)).toEqual(changing);
    expect(body.items).toContainEqual(
      expect.objectContaining({
        operation_id: 'toggleFeatureFlag',
        gate: 'policy',
        action: 'flag.toggle',
        by_environment: { any: 'mfa', development: 'mfa', staging: 'mfa', production: 'approval' },
      }),
    );
  });
});

describe('a request', () => {
  it('is rejected for good, with a reason', async () => {
    const request = await drive.opened('rejected');
    expect((await drive.say(provider, 'reject', request, { digest: request.digest })).status).toBe(422);
    const rejected = await drive.say(provider, 'reject', request, { digest: request.digest, reason: 'not today' });
    expect(rejected).toMatchObject({ status: 200, body: { status: 'rejected' } });
    expect((await drive.approve(second, request)).body.code).toBe('approval.closed');
    expect((await drive.flag('rejected')).enabled).toBe(false);
  });

  it('is cancelled by its authors only', async () => {
    const request = await drive.opened('cancelled');
    expect((await drive.say(second, 'cancel', request, {})).body.code).toBe('approval.not-author');
    expect((await drive.say(admin, 'cancel', request, { reason: 'changed my mind' })).body.status).toBe('cancelled');
    await eventually(
      () => drive.approve(second, request),
      ({ body }) => body.code === 'approval.closed',
    );
  });

  it('fails when its requester was deactivated meanwhile', async () => {
    const request = await approvalDriver(app, provider).opened('requester-left');
    await drive.whenApproved(request.id, `update users set status = 'inactive' where id = '${provider.user_id}'`);
    try {
      expect((await drive.approve(second, request)).body.status).toBe('approved');
      const failed = await drive.settled(request.id, 'failed');
      expect(failed.failure_code).toBe('approval.requester-left');
    } finally {
      await asSuperuser(app, "update users set status = 'active' where id = $1", [provider.user_id]);
    }
    expect((await drive.flag('requester-left')).enabled).toBe(false);
  });

  it('goes back to review when an approver has lost the right meanwhile', async () => {
    await drive.setPolicy({ steps: [{ ...administrators, quorum: 2 }] });
    const request = await drive.opened('lost-right');
    expect((await drive.approve(provider, request)).body.status).toBe('pending');
    await asSuperuser(app, "update users set status = 'inactive' where id = $1", [provider.user_id]);
    try {
      expect((await drive.approve(second, request)).body.status).toBe('approved');
      const back = await drive.settled(request.id, 'pending');
      expect(back.steps[0].approved_by).toEqual([second.user_id]);
      expect(back.decisions).toContainEqual(
        expect.objectContaining({ approver_id: provider.user_id, void_reason: 'right_lost' }),
      );
      expect((await drive.flag('lost-right')).enabled).toBe(false);
    } finally {
      await asSuperuser(app, "update users set status = 'active' where id = $1", [provider.user_id]);
    }
    expect((await drive.approve(provider, request)).body.status).toBe('approved');
    await drive.settled(request.id, 'executed');
    expect(await drive.events(request.id)).toEqual([
      'opened',
      'approve',
      'approve',
      'return-to-review',
      'approve',
      'execute',
    ]);
    await drive.dropPolicy();
  });
});

describe('break-glass', () => {
  it('is for people whom the policy names, needs a reason, owes a review, and is barred while a review is overdue', async () => {
    const steps = [{ ...administrators, quorum: 2 }];
    await drive.setPolicy({ steps, bypassers: [admin.user_id, second.user_id], bypass_review_seconds: 60 });
    const request = await drive.opened('broken');
    const breakGlass = (person: SignedIn, which: { id: string; digest: string }, body: object = { reason: 'outage' }) =>
      drive.say(person, 'break-glass', which, { digest: which.digest, ...body });
    expect((await breakGlass(second, request, {})).status).toBe(422);
    expect((await breakGlass(provider, request)).body.code).toBe('auth.forbidden');
    expect((await breakGlass(admin, request)).body.code).toBe('approval.bypass-own-request');
    expect((await breakGlass(second, request)).body).toMatchObject({
      status: 'approved',
      bypassed_by: second.user_id,
      bypass_reason: 'outage',
    });
    await drive.settled(request.id, 'executed');
    const reviews = await app.call('GET', `/admin/break-glass-reviews?user_id=${second.user_id}`, {
      token: admin.token,
    });
    expect(reviews.body.items).toMatchObject([
      { kind: 'bypass', approval_id: request.id, reason: 'outage', reviewed_at: null },
    ]);

    await asSuperuser(
      app,
      "update admin_break_glass_reviews set due_at = now() - interval '1 second' where approval_id = $1",
      [request.id],
    );
    const next = await drive.opened('broken-again');
    expect((await breakGlass(second, next)).body.code).toBe('approval.bypass-barred');
    const path = `/admin/break-glass-reviews/${reviews.body.items[0].id}/complete`;
    const body = { verdict: 'justified', comment: 'there was no other way' };
    // T-9: neither who asked nor who bypassed closes the review.
    expect((await callProven(app, admin, 'POST', path, { body })).body.code).toBe('approval.own-request');
    expect((await callProven(app, second, 'POST', path, { body })).body.code).toBe('approval.own-request');
    expect((await callProven(app, provider, 'POST', path, { body })).status).toBe(200);
    expect((await breakGlass(second, next)).body.status).toBe('approved');
    await drive.settled(next.id, 'executed');
    await drive.dropPolicy();
  });
});

describe('access to requests', () => {
  it('is refused without authentication, without the permission, and for requests that are not there', async () => {
    const request = await drive.opened('doors');
    const path = `/admin/approvals/${request.id}/approve`;
    const body = { digest: request.digest };
    expect((await app.call('POST', path, { body })).status).toBe(401);
    expect((await app.call('POST', path, { body, token: support.token })).body.code).toBe('auth.forbidden');
    expect((await app.call('GET', `/admin/approvals/${request.id}`, { token: support.token })).status).toBe(200);
    const unknown = { id: '00000000-0000-4000-8000-000000000000', digest: request.digest };
    expect((await drive.approve(provider, unknown)).status).toBe(404);
    expect((await drive.approve(provider, { id: request.id, digest: 'nonsense' })).status).toBe(422);
  });

  it('S2-69: takes a proof of the second factor for exactly one request with exactly one digest, once', async () => {
    const [one, other] = [await drive.opened('bound-one'), await drive.opened('bound-other')];
    const path = (request: { id: string }) => `/admin/approvals/${request.id}/approve`;
    const asked = await app.call('POST', path(one), { token: provider.token, body: { digest: one.digest } });
    const proof = await factorProof(app, provider, asked.body);
    const send = (request: { id: string; digest: string }, digest = request.digest) =>
      app.call('POST', path(request), { token: provider.token, body: { digest }, headers: { 'x-mfa-token': proof } });
    expect((await send(other)).body.code).toBe('mfa.required');
    expect((await send(one, other.digest)).body.code).toBe('mfa.required');
    expect((await send(one)).status).toBe(200);
    expect((await send(one)).body.code).toMatch(/mfa.required|approval\./);
  });

  it('S2-60: cannot bypass the approval by calling the activity or the action directly', async () => {
    const request = await drive.opened('direct');
    const { db } = app.api.deps;
    const activities = createApprovalActivities(app.api.deps);
    const requester = {
      tenant_id: defaultTenantId,
      user_id: admin.user_id,
      session_id: admin.session_id,
      request_id: null,
    };
    const attempt = { actor: requester, approval_id: request.id, revision: 1, digest: request.digest };
    expect((await activities.executeApproval(attempt)).view.status).toBe('pending');
    const payload = { key: 'direct', environment: 'production', enabled: true, version: 1 };
    const actor = { ...systemActor(defaultTenantId), user_id: admin.user_id };
    for (const authority of [
      { kind: 'mfa' },
      { kind: 'none' },
      { kind: 'emergency' },
      { kind: 'approval', approval_id: request.id },
    ] as const) {
      const run = unitOfWork(db, actor, (tx) => runAction(tx, flagToggle.prepare(payload), authority));
      await expect(run).rejects.toMatchObject({ code: 'approval.required' });
    }
    expect((await drive.flag('direct')).version).toBe(1);
  });

  it('neither approves nor executes a payload that is not the one that was shown', async () => {
    const tampering = (digest: string) =>
      `update public.admin_approval_payloads set payload = jsonb_set(payload, '{key}', '"main-job"') where digest = '${digest}'`;
    const early = await drive.opened('tampered-early');
    await asSuperuser(app, tampering(early.digest));
    expect((await drive.approve(provider, early)).body.code).toBe('approval.payload-changed');
    const request = await drive.opened('tampered');
    await drive.whenApproved(request.id, tampering(request.digest));
    await drive.approve(provider, request);
    expect(await drive.settled(request.id, 'failed')).toMatchObject({ failure_code: 'approval.payload-changed' });
  });

  it('opens a request for an action by name; unknown actions, invalid payloads and missing permissions are refused', async () => {
    const ask = (person: SignedIn, body: object) => callProven(app, person, 'POST', '/admin/approvals', { body });
    expect((await ask(admin, { action: 'flag.explode', payload: {} })).body.errors).toMatchObject([
      { pointer: '/action' },
    ]);
    const bad = await ask(admin, {
      action: 'flag.toggle',
      payload: { key: 'x', environment: 'moon', enabled: 1, version: 1 },
    });
    expect(bad.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
      '/payload/environment',
      '/payload/enabled',
    ]);
    const toggle = {
      action: 'flag.toggle',
      payload: { key: 'x', environment: 'production', enabled: true, version: 1 },
    };
    expect((await ask(regional, toggle)).body.code).toBe('auth.forbidden');
    expect((await ask(admin, toggle)).status).toBe(404);
    await drive.productionFlag('by-name');
    const asked = await ask(admin, { ...toggle, payload: { ...toggle.payload, key: 'by-name' }, reason: 'by name' });
    expect(asked).toMatchObject({ status: 201, body: { status: 'pending', reason: 'by name' } });
    const emergency = {
      action: 'flag.emergency-off',
      payload: { key: 'by-name', environment: 'production', reason: 'x' },
    };
    expect((await ask(admin, emergency)).status).toBe(409);
  });

  it('lists requests by status, page by page', async () => {
    const page = await app.call('GET', '/admin/approvals?status=executed&limit=2', { token: admin.token });
    expect(page.body.items).toHaveLength(2);
    expect(page.body.items.every((item: { status: string }) => item.status === 'executed')).toBe(true);
    const next = await app.call('GET', `/admin/approvals?status=executed&limit=2&cursor=${page.body.next_cursor}`, {
      token: admin.token,
    });
    expect(next.body.items[0].id).not.toBe(page.body.items[0].id);
    expect((await app.call('GET', '/admin/approvals?cursor=x', { token: admin.token })).status).toBe(400);
  });
});
