import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient, isProblem, ProblemError } from '../../src/client/index.ts';
import type { CastellanClient } from '../../src/client/index.ts';
import { sampleFlagKey } from '../../src/dev/sample-data.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { startWorker } from '../../src/worker.ts';
import type { RunningWorker } from '../../src/worker.ts';
import { freshTotpCode, startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { eventually, quickProof } from '../support/quick-factor.ts';
import { workflowBundlePath } from '../support/temporal.ts';

/** A person with the client that acts for him. */
interface Caller {
  readonly person: SignedIn;
  readonly client: CastellanClient;
}

let app: TestApi;
let worker: RunningWorker;
let admin: Caller;
let approver: Caller;
let agent: Caller;

beforeAll(async () => {
  app = await startTestApi();
  worker = await startWorker(
    { ...app.env, WORKFLOW_BUNDLE: workflowBundlePath() },
    createLogger({ level: 'silent', name: 'test' }),
  );
  [admin, approver, agent] = await Promise.all([
    callerOf('role-super-admin'),
    callerOf('role-super-admin', 1),
    callerOf('role-junior-agent'),
  ]);
}, 60_000);

afterAll(async () => {
  await worker.close();
  await app.close();
});

async function callerOf(role: Parameters<TestApi['signIn']>[0], index = 0): Promise<Caller> {
  const person = await app.signIn(role, index);
  const tokens = { access_token: person.token, refresh_token: person.refresh_token };
  return { person, client: createCastellanClient({ baseUrl: app.url, tokens }) };
}

/** Runs a gated operation with a proof that was met beforehand: a code for each would have to wait for its time step. */
async function proven<Result>(
  { person }: Caller,
  operation: (proof: { mfaToken?: string }) => Promise<Result>,
): Promise<Result> {
  try {
    return await operation({});
  } catch (error) {
    if (!isProblem(error, 'mfa.required')) throw error;
    const { action, payload_digest } = error.members;
    return operation({ mfaToken: await quickProof(app, person, String(action), String(payload_digest)) });
  }
}

/** The code of the problem that a call is refused with. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('It was not refused.'),
    (reason: unknown) => reason,
  );
  if (error instanceof ProblemError) return error.code;
  throw error;
}

const nobody = '00000000-0000-4000-8000-000000000000';

describe('users in the typed client (S2-3..9)', () => {
  const newPerson = { full_name: 'Contract Tester', email: 'contract@example.com' };

  it('S2-3: getUsers pages through the accounts', async () => {
    const first = await admin.client.adminApi.getUsers({ limit: 3 });
    expect(first.items).toHaveLength(3);
    const second = await admin.client.adminApi.getUsers({ limit: 3, cursor: first.next_cursor ?? '' });
    expect(second.items[0]?.id).not.toBe(first.items[0]?.id);
    expect(await refusalOf(agent.client.adminApi.getUsers())).toBe('auth.forbidden');
  });

  it('S2-4: getUserById shows one account', async () => {
    const user = await admin.client.adminApi.getUserById(agent.person.user_id);
    expect(user.email).toBe(agent.person.email);
    expect(await refusalOf(admin.client.adminApi.getUserById(nobody))).toBe('resource.not-found');
  });

  it('S2-5, S2-44, S2-45: createUser with a code from the authenticator app', async () => {
    const { client, person } = admin;
    const created = await client.withMfa(
      (proof) => client.adminApi.createUser(newPerson, proof),
      () => freshTotpCode(person),
    );
    expect(created.email).toBe(newPerson.email);
    const again = proven(admin, (proof) => client.adminApi.createUser(newPerson, proof));
    expect(await refusalOf(again)).toBe('resource.conflict');
  });

  it('S2-5: the same idempotency key gives the first answer again', async () => {
    const body = { full_name: 'Once Only', email: 'once@example.com' };
    const create = () =>
      proven(admin, (proof) => admin.client.adminApi.createUser(body, { ...proof, idempotencyKey: 'contract-once' }));
    const first = await create();
    expect((await create()).id).toBe(first.id);
  });

  it('S2-6: updateUser changes the version that was read', async () => {
    const before = await admin.client.adminApi.getUserById(agent.person.user_id);
    const update = (version: number) =>
      proven(admin, (proof) =>
        admin.client.adminApi.updateUser(before.id, { full_name: 'Arjun Das Jr' }, { ...proof, version }),
      );
    const after = await update(before.version);
    expect(after).toMatchObject({ full_name: 'Arjun Das Jr', version: before.version + 1 });
    expect(await refusalOf(update(before.version))).toBe('resource.version-mismatch');
  });

  it('S2-7: deleteUser deletes once', async () => {
    const { items } = await admin.client.adminApi.getUsers({ q: 'once@example.com' });
    const [user] = items;
    const remove = (id: string) =>
      proven(admin, (proof) => admin.client.adminApi.deleteUser(id, {}, { ...proof, version: user?.version ?? 0 }));
    expect(await remove(user?.id ?? '')).toMatchObject({ kind: 'done' });
    expect(await refusalOf(remove(nobody))).toBe('resource.not-found');
  });

  it('S2-8, S2-9: forceLogoutUser ends the sessions that getUserSessions shows', async () => {
    const customer = await callerOf('role-policyholder');
    const { user_id } = customer.person;
    const { items } = await admin.client.adminApi.getUserSessions(user_id);
    expect(items.map(({ id }) => id)).toContain(customer.person.session_id);
    await proven(admin, (proof) => admin.client.adminApi.forceLogoutUser(user_id, proof));
    const { response } = await customer.client.http.GET('/users/me');
    expect(response.status).toBe(401);
    expect(await refusalOf(admin.client.adminApi.getUserSessions(nobody))).toBe('resource.not-found');
    expect(await refusalOf(agent.client.adminApi.forceLogoutUser(user_id))).toBe('auth.forbidden');
  });
});

describe('roles in the typed client (S2-10..13)', () => {
  it('S2-10, S2-11: getRoles and getRolePermissions show the hierarchy and the matrix', async () => {
    const roles = await rolesOf(admin);
    expect(roles.length).toBeGreaterThanOrEqual(7);
    const matrix = await admin.client.adminApi.getRolePermissions(roles[0]?.id ?? '');
    expect(matrix.permissions.length).toBeGreaterThan(0);
    expect(await refusalOf(admin.client.adminApi.getRolePermissions(nobody))).toBe('resource.not-found');
    expect(await refusalOf(agent.client.adminApi.getRoles())).toBe('auth.forbidden');
  });

  it('S2-12: updateRolePermissions changes a role, but not the one that may everything', async () => {
    const roles = await rolesOf(admin);
    const idOf = (code: string) => roles.find((role) => role.code === code)?.id ?? '';
    const support = await admin.client.adminApi.getRolePermissions(idOf('role-support-staff'));
    const update = (id: string, version: number) =>
      proven(admin, (proof) =>
        admin.client.adminApi.updateRolePermissions(id, { permissions: ['user:read'] }, { ...proof, version }),
      );
    const changed = await update(support.role_id, support.version);
    expect(changed).toMatchObject({ kind: 'done', result: { permissions: ['user:read'] } });
    const top = await admin.client.adminApi.getRolePermissions(idOf('role-super-admin'));
    expect(await refusalOf(update(top.role_id, top.version))).toBe('role.immutable');
  });

  it('S2-13: getRoleAssignmentHistory filters by person', async () => {
    const { items } = await admin.client.adminApi.getRoleAssignmentHistory({ user_id: agent.person.user_id });
    expect(items.length).toBeGreaterThan(0);
    expect(await refusalOf(agent.client.adminApi.getRoleAssignmentHistory())).toBe('auth.forbidden');
  });

  async function rolesOf({ client }: Caller) {
    const { items } = await client.adminApi.getRoles();
    return items;
  }
});

describe('flags and approvals in the typed client (S2-14..16, S2-39..43)', () => {
  it('S2-14: getFeatureFlags lists the flags of an environment', async () => {
    const { items } = await admin.client.adminApi.getFeatureFlags({ environment: 'production' });
    expect(items.map(({ key }) => key)).toContain(sampleFlagKey);
    expect(await refusalOf(admin.client.adminApi.getFeatureFlags({ cursor: 'x' }))).toBe('request.cursor-invalid');
  });

  it('S2-15, S2-16: toggleFeatureFlag switches at once outside production and appends to the history', async () => {
    const flag = await flagIn('staging');
    const toggled = await proven(admin, (proof) =>
      admin.client.adminApi.toggleFeatureFlag(
        sampleFlagKey,
        { environment: 'staging', enabled: true, version: flag.version },
        proof,
      ),
    );
    expect(toggled).toMatchObject({ kind: 'done', result: { enabled: true, version: flag.version + 1 } });
    const { items } = await admin.client.adminApi.getFeatureFlagHistory(sampleFlagKey, { environment: 'staging' });
    expect(items[0]).toMatchObject({ change: 'toggled', version: flag.version + 1 });
    expect(await refusalOf(agent.client.adminApi.getFeatureFlagHistory(sampleFlagKey))).toBe('auth.forbidden');
  });

  it('S2-15, S2-41, S2-43, S2-60: in production it waits for approveRequest, is executed and recorded', async () => {
    const flag = await flagIn('production');
    const asked = await proven(admin, (proof) =>
      admin.client.adminApi.toggleFeatureFlag(
        sampleFlagKey,
        { environment: 'production', enabled: true, version: flag.version, reason: 'launch' },
        proof,
      ),
    );
    if (asked.kind !== 'approval_requested') throw new Error('It was not put up for approval.');
    const { id, digest } = asked.approval;
    const own = proven(admin, (proof) => admin.client.adminApi.approveRequest(id, { digest }, proof));
    expect(await refusalOf(own)).toBe('approval.own-request');
    const approved = await proven(approver, (proof) => approver.client.adminApi.approveRequest(id, { digest }, proof));
    expect(approved.id).toBe(id);
    await eventually(
      () => admin.client.adminApi.getFeatureFlags({ environment: 'production' }),
      ({ items }) => items.some(({ key, enabled }) => key === sampleFlagKey && enabled),
    );
    const { items } = await admin.client.adminApi.getApprovalHistory({ approval_id: id });
    expect(items.map(({ to_status }) => to_status)).toEqual(expect.arrayContaining(['pending', 'approved', 'executed']));
    expect(await refusalOf(agent.client.adminApi.getApprovalHistory())).toBe('auth.forbidden');
  });

  it('S2-39, S2-40, S2-42: createApprovalRequest opens, getApprovalRequests lists, rejectRequest closes', async () => {
    const flag = await flagIn('production');
    const payload = { key: sampleFlagKey, environment: 'production', enabled: false, version: flag.version, reason: null };
    const opened = await proven(admin, (proof) =>
      admin.client.adminApi.createApprovalRequest({ action: 'flag.toggle', payload, reason: 'back' }, proof),
    );
    const { items } = await approver.client.adminApi.getApprovalRequests({ status: 'pending' });
    expect(items.map(({ id }) => id)).toContain(opened.id);
    const reject = () =>
      proven(approver, (proof) =>
        approver.client.adminApi.rejectRequest(opened.id, { digest: opened.digest, reason: 'not now' }, proof),
      );
    expect(await reject()).toMatchObject({ status: 'rejected' });
    expect(await refusalOf(reject())).toBe('approval.closed');
    const unknown = proven(admin, (proof) =>
      admin.client.adminApi.createApprovalRequest({ action: 'no.such', payload: {} }, proof),
    );
    expect(await refusalOf(unknown)).toBe('request.invalid');
    expect(await refusalOf(agent.client.adminApi.getApprovalRequests())).toBe('auth.forbidden');
  });

  async function flagIn(environment: 'staging' | 'production') {
    const { items } = await admin.client.adminApi.getFeatureFlags({ environment });
    const flag = items.find(({ key }) => key === sampleFlagKey);
    if (flag === undefined) throw new Error('The sample flag is missing.');
    return flag;
  }
});

describe('audit in the typed client (S2-29..31)', () => {
  it('S2-29, S2-30: getAuditLogs lists and getAuditLogDetails shows one with its proof', async () => {
    const { items } = await admin.client.adminApi.getAuditLogs({ limit: 5 });
    expect(items).toHaveLength(5);
    const [first] = items;
    const details = await admin.client.adminApi.getAuditLogDetails(first?.id ?? '');
    expect(details).toMatchObject({ id: first?.id, event: first?.event });
    expect(await refusalOf(admin.client.adminApi.getAuditLogDetails(nobody))).toBe('resource.not-found');
    expect(await refusalOf(agent.client.adminApi.getAuditLogs())).toBe('auth.forbidden');
  });

  it('S2-31: exportAuditLogs streams the entries and a manifest', async () => {
    const body = await admin.client.adminApi.exportAuditLogs({ format: 'jsonl' });
    const lines = (await new Response(body).text()).trim().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.at(-1)).toContain('manifest');
    expect(await refusalOf(agent.client.adminApi.exportAuditLogs())).toBe('auth.forbidden');
  });
});

describe('second factor in the typed client (S2-44, S2-45)', () => {
  it('S2-44: requestMFACode refuses what is no digest', async () => {
    const bad = admin.client.adminApi.requestMFACode({ action: 'createUser', payload_digest: 'short' });
    expect(await refusalOf(bad)).toBe('request.invalid');
  });

  it('S2-45: verifyMFACode refuses a wrong code, and withMfa hands the refusal on', async () => {
    const { client } = approver;
    const body = { full_name: 'Never Made', email: 'never@example.com' };
    const attempt = client.withMfa(
      (proof) => client.adminApi.createUser(body, proof),
      () => Promise.resolve('000000'),
    );
    expect(await refusalOf(attempt)).toBe('mfa.code-refused');
  });
});
