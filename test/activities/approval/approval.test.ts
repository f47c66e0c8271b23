import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineAction } from '../../../src/services/actions/action.ts';
import { flagToggle } from '../../../src/services/flag/flag-toggle.action.ts';
import { userResetFactor } from '../../../src/services/identity/user-reset-factor.action.ts';
import { createApprovalActivities } from '../../../src/activities/approval/approval.activities.ts';
import { openPayload, storePayload } from '../../../src/services/approval/approval-payload.repository.ts';
import { defaultTenantId, systemActor } from '../../../src/domain/shared/actor.ts';
import { openApproval } from '../../../src/domain/approval/approval.ts';
import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import { unitOfWork } from '../../../src/platform/database/unit-of-work.ts';
import type { ApprovalActivities, PersonRef, RecordCommand } from '../../../src/workflows/approval/approval.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { createApprovalDecision } from '../../support/factories/approval.ts';
import { createMfaChallenge } from '../../support/factories/identity.ts';

/*
 * The activities run more than once and concurrently, as after a worker was killed. There is no worker here, so that
 * nothing else runs them.
 */

let app: TestApi;
let activities: ApprovalActivities;
let admin: SignedIn;
let provider: SignedIn;
let second: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  activities = createApprovalActivities(app.api.deps);
  admin = await app.signIn('role-super-admin');
  provider = await app.signIn('role-provider-admin');
  second = await app.signIn('role-super-admin', 1);
});

afterAll(async () => {
  await app.close();
});

const ref = (person: SignedIn): PersonRef => ({
  tenant_id: defaultTenantId,
  user_id: person.user_id,
  session_id: person.session_id,
  request_id: null,
});

/** The id of a verified proof of the second factor. */
async function proof({ user_id, session_id }: SignedIn): Promise<string> {
  return (await createMfaChallenge(app, { user_id, session_id })).id;
}

const policy = { ...safePolicy, steps: safePolicy.steps.map((step) => ({ ...step, quorum: 2 })) };

/** The digest of switching a new production flag on, whose payload is stored. */
async function toggleDigest(key: string): Promise<string> {
  await approvalDriver(app, admin).productionFlag(key);
  const { db, keyring } = app.api.deps;
  const prepared = flagToggle.prepare({ key, environment: 'production', enabled: true, version: 1 });
  const actor = { ...systemActor(defaultTenantId), user_id: admin.user_id };
  return unitOfWork(db, actor, (tx) => storePayload(tx, keyring, prepared));
}

/** A request to switch a new production flag on, opened by the activity without a workflow. */
async function opened(key: string) {
  const digest = await toggleDigest(key);
  const input = {
    requester: ref(admin),
    approval_id: randomUUID(),
    action: 'flag.toggle',
    environment: 'production' as const,
    digest,
    reason: null,
    policy,
    mfa_proof_id: await proof(admin),
    review_due_at: Date.now() + 3_600_000,
  };
  return { input, record: await activities.openApproval(input) };
}

type Opened = Awaited<ReturnType<typeof opened>>;

async function approval(person: SignedIn, { input }: { input: Pick<Opened['input'], 'approval_id' | 'digest'> }): Promise<RecordCommand> {
  return {
    actor: ref(person),
    approval_id: input.approval_id,
    command: { kind: 'approve', by: { user_id: person.user_id, roles: [] }, digest: input.digest },
    reason: null,
    mfa_proof_id: await proof(person),
    at: Date.now(),
  };
}

async function approved(key: string): Promise<Opened> {
  const request = await opened(key);
  await activities.recordApprovalCommand(await approval(provider, request));
  await activities.recordApprovalCommand(await approval(second, request));
  return request;
}

const attempt = ({ input }: Opened) => ({
  actor: input.requester,
  approval_id: input.approval_id,
  revision: 1,
  digest: input.digest,
});

const historyOf = (id: string) =>
  asSuperuser<{ event: string }>(
    app,
    'select event from admin_approval_history where approval_id = $1 order by position',
    [id],
  ).then((rows) => rows.map(({ event }) => event));

describe('activities that run twice', () => {
  it('open a request once and consume one proof', async () => {
    const { input, record } = await opened('opened-twice');
    const again = await activities.openApproval(input);
    expect(again).toEqual(record);
    expect(await historyOf(input.approval_id)).toEqual(['opened']);
  });

  it('record a decision once; another proof does not make another decision', async () => {
    const request = await opened('decided-twice');
    const command = await approval(provider, request);
    const first = await activities.recordApprovalCommand(command);
    expect(first.view.steps[0]).toMatchObject({ approvals: 1, approved_by: [provider.user_id] });
    expect(await activities.recordApprovalCommand(command)).toEqual(first);
    expect(await activities.recordApprovalCommand(await approval(provider, request))).toEqual(first);
    expect(await historyOf(request.input.approval_id)).toEqual(['opened', 'approve']);
  });

  it('execute a change once, however many attempts run at the same time', async () => {
    const request = await approved('executed-once');
    const attempts = await Promise.all(Array.from({ length: 5 }, () => activities.executeApproval(attempt(request))));
    expect(attempts.map(({ view }) => view.status)).toEqual(Array.from({ length: 5 }, () => 'executed'));
    const rows = await asSuperuser(app, "select 1 from admin_flag_history where key = 'executed-once' and version > 1");
    expect(rows).toHaveLength(1);
    expect(await historyOf(request.input.approval_id)).toEqual(['opened', 'approve', 'approve', 'execute']);
  });
});

describe('the transaction checks a command again', () => {
  it('by the roles and permissions of the database, not by those of the message', async () => {
    const request = await opened('not-eligible');
    const regional = await app.signIn('role-regional-manager');
    const junior = await app.signIn('role-junior-agent');
    const claim = async (person: SignedIn): Promise<RecordCommand> => {
      const command = await approval(person, request);
      return {
        ...command,
        command: { ...command.command, by: { user_id: person.user_id, roles: ['role-super-admin'] } } as never,
      };
    };
    await expect(activities.recordApprovalCommand(await claim(regional))).rejects.toMatchObject({
      type: 'approval.not-eligible',
    });
    await expect(activities.recordApprovalCommand(await claim(junior))).rejects.toMatchObject({
      type: 'approval.not-eligible',
    });
    await expect(activities.recordApprovalCommand(await approval(admin, request))).rejects.toMatchObject({
      type: 'approval.own-request',
    });
  });

  it('and consumes the proof together with the decision, or not at all', async () => {
    const request = await opened('proof-bound');
    const command = await approval(provider, request);
    const stolen = { ...command, mfa_proof_id: await proof(second) };
    await expect(activities.recordApprovalCommand(stolen)).rejects.toMatchObject({ type: 'mfa.required' });
    expect(await historyOf(request.input.approval_id)).toEqual(['opened']);
    expect((await activities.recordApprovalCommand(command)).view.steps[0]?.approvals).toBe(1);
  });

  it('and opens with a password what is asked for so and nothing else, and that with nothing else', async () => {
    const { db, keyring } = app.api.deps;
    const [factor] = await asSuperuser<{ id: string }>(app, 'select id from mfa_factors where user_id = $1', [admin.user_id]);
    const prepared = userResetFactor.prepare({ user_id: admin.user_id, factor_id: factor?.id });
    const actor = { ...systemActor(defaultTenantId), user_id: admin.user_id };
    const digest = await unitOfWork(db, actor, (tx) => storePayload(tx, keyring, prepared));
    const byPassword = async (columns: { user_id?: string; payload_digest?: string; proof_expires_at?: string } = {}) => {
      const proven = { user_id: admin.user_id, session_id: null, method: 'password', action: prepared.action.name, payload_digest: digest } as const;
      return (await createMfaChallenge(app, { ...proven, ...columns })).id;
    };
    const { input: toggling } = await opened('by-factor');
    const input = { ...toggling, action: prepared.action.name, environment: null, digest };
    const open = async (what: typeof input | typeof toggling, mfa_proof_id: string) =>
      activities.openApproval({ ...what, approval_id: randomUUID(), requester: { ...ref(admin), session_id: null }, mfa_proof_id });
    const refused = { type: 'auth.password-refused' };
    await expect(open(input, await proof(admin))).rejects.toMatchObject(refused);
    await expect(open(input, await byPassword({ user_id: second.user_id }))).rejects.toMatchObject(refused);
    await expect(open(input, await byPassword({ payload_digest: 'b'.repeat(64) }))).rejects.toMatchObject(refused);
    await expect(open(input, await byPassword({ proof_expires_at: new Date(Date.now() - 1_000).toISOString() }))).rejects.toMatchObject(refused);
    const other = { ...toggling, digest: await toggleDigest('by-password') };
    await expect(open(other, await byPassword())).rejects.toMatchObject({ type: 'mfa.required' });
    const used = await byPassword();
    const { view } = await open(input, used);
    expect(view).toMatchObject({ status: 'pending', action: 'user.reset-factor', requested_by: admin.user_id });
    await activities.recordApprovalCommand({
      ...(await approval(provider, { input: { ...input, approval_id: view.id as typeof input.approval_id } })),
      command: { kind: 'reject', by: { user_id: provider.user_id, roles: [] }, digest },
      reason: 'not them',
    });
    await expect(open(input, used)).rejects.toMatchObject(refused);
  });

  it('and undoes a failed change, leaving only its failure', async () => {
    const request = await approved('half-done');
    await asSuperuser(
      app,
      `create function refuse_history() returns trigger language plpgsql as $$
         begin if new.key = 'half-done' then raise exception 'no' using errcode = '23514'; end if; return new; end $$`,
    );
    await asSuperuser(
      app,
      'create trigger refuse_history before insert on admin_flag_history for each row execute function refuse_history()',
    );
    const { view } = await activities.executeApproval(attempt(request));
    expect(view).toMatchObject({ status: 'failed', failure_code: 'resource.conflict' });
    const [flag] = await asSuperuser(app, "select version, enabled from admin_feature_flags where key = 'half-done'");
    expect(flag).toEqual({ version: 1, enabled: false });
    expect((await activities.executeApproval(attempt(request))).view.status).toBe('failed');
  });

  it('and does not find a request of another tenant', async () => {
    const request = await opened('tenanted');
    const stranger = { ...attempt(request), actor: { ...ref(admin), tenant_id: randomUUID() } };
    await expect(activities.executeApproval(stranger)).rejects.toMatchObject({ type: 'resource.not-found' });
  });
});

describe('the database itself refuses', () => {
  const insertDecision = (request: Opened, approver: SignedIn, changes: { revision?: number } = {}) =>
    createApprovalDecision(app, {
      approval_id: request.input.approval_id,
      digest: request.input.digest,
      approver_id: approver.user_id,
      ...changes,
    });

  it('an approval by the requester, of another revision, or a second one by the same person', async () => {
    const request = await opened('locked');
    await expect(insertDecision(request, admin)).rejects.toThrow(/nobody decides on a change of their own/);
    await expect(insertDecision(request, provider, { revision: 2 })).rejects.toThrow(/what the request says now/);
    await insertDecision(request, provider);
    await expect(insertDecision(request, provider)).rejects.toThrow(/nobody counts twice/);
  });

  it('changes of history, payloads and decisions by the application', async () => {
    for (const table of [
      'admin_approval_history',
      'admin_approval_payloads',
      'admin_approval_decisions',
      'admin_flag_history',
    ]) {
      const grants = await asSuperuser<{ privilege: string }>(
        app,
        `select p as privilege from unnest(array['update', 'delete', 'truncate']) p
         where has_table_privilege('castellan_app', $1, p)`,
        [table],
      );
      expect(grants).toEqual([]);
    }
  });
});

describe('payloads with secrets', () => {
  it('are stored encrypted under their digest and decrypted for the execution only', async () => {
    const rotate = defineAction({
      name: 'test.rotate',
      title: 'Test',
      permission: 'flag:manage',
      payload: z.strictObject({ key: z.string() }),
      secret: true,
      environment: () => 'production',
      reason: () => null,
      describe: () => 'Rotate.',
      check: async () => undefined,
      execute: async () => ({}),
      undo: () => null,
    });
    const { db, keyring } = app.api.deps;
    const actor = { ...systemActor(defaultTenantId), user_id: admin.user_id };
    const digest = await unitOfWork(db, actor, (tx) =>
      storePayload(tx, keyring, rotate.prepare({ key: 'canary-4711' })),
    );
    const [row] = await asSuperuser<Parameters<typeof openPayload>[1] & Record<string, unknown>>(
      app,
      'select id, environment, payload, payload_ciphertext from admin_approval_payloads where digest = $1',
      [digest],
    );
    if (row === undefined) throw new Error('no payload');
    expect(JSON.stringify(row)).not.toContain('canary-4711');
    expect(openPayload(keyring, row)).toEqual({ key: 'canary-4711' });
    expect(() => openPayload(keyring, { ...row, id: randomUUID() })).toThrow();
  });
});

it('the state in memory and the row of a new request are equal', async () => {
  const { input, record } = await opened('agreed');
  const memory = openApproval({ digest: input.digest, requested_by: admin.user_id, policy }, 0);
  expect(record.approval).toEqual({ ...memory, review_due_at: input.review_due_at });
});
