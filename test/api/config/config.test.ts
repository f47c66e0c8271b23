import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createCastellanClient } from '../../../src/sdk/index.ts';
import { rolloutPlan } from '../../../src/services/config/config.payload.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { configDriver, shopSchema } from '../../support/drivers/config.ts';
import type { ConfigDriver } from '../../support/drivers/config.ts';
import { startOwnTemporal } from '../../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../../support/temporal/own-temporal.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven, runProven } from '../../support/second-factor.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

const password = 'correct-horse-battery';
const proposals = '/admin/environment-config/proposals';
const nobody = '00000000-0000-4000-8000-000000000000';

let temporal: OwnTemporal;
let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;
let approver: SignedIn;
let agent: SignedIn;
let other: OtherTenant;
let drive: ConfigDriver;
let devToken: string;

beforeAll(async () => {
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address });
  const env = { ...app.env, WORKFLOW_BUNDLE: workflowBundlePath() };
  worker = await startWorker(env, createLogger({ level: 'silent', name: 'test' }));
  other = await secondTenant(app);
  admin = await app.signIn('role-super-admin');
  approver = await app.signIn('role-super-admin', 1);
  agent = await app.signIn('role-junior-agent');
  drive = configDriver(app, admin);
  devToken = await drive.token('development');
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await temporal.stop();
});

const call = (method: string, path: string, person: { token: string } = admin) => app.call(method, path, { token: person.token });

/** Deploys a document in development and waits until it runs. */
async function deployed(document: object, more: object = {}) {
  const { id } = await drive.started({ environment: 'development', document, ...more });
  return drive.settled(id, 'succeeded');
}

describe('S2-35, S2-36: documents, schemas and secrets', () => {
  it('answers config.none to applications before the first configuration', async () => {
    expect(await drive.shown('development')).toMatchObject({ running: null, candidate: null, rollout: null });
    expect(await drive.read(devToken, 'development')).toMatchObject({ status: 404, body: { code: 'config.none' } });
  });

  it('shows the difference, rolls out where no approval is required, and masks secrets for people only', async () => {
    const document = { limit: 10, database: { host: 'db', password } };
    const answer = await drive.propose({ environment: 'development', schema: shopSchema, document });
    expect({ status: answer.status, body: answer.body }).toMatchObject({
      status: 201,
      body: {
        changes: [{ version: 1, base_version: null, schema_changed: true }],
        deployments: [{ environment: 'development', kind: 'rollout', config_version: 1, approval_id: null }],
      },
    });
    const paths = answer.body.changes[0].differences.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(['/database', '/limit']);
    await drive.settled(answer.body.deployments[0].id, 'succeeded');
    const { running } = await drive.shown('development');
    expect(running.document.database.password).toMatchObject({ $secret: '********', fingerprint: expect.stringMatching(/^k1:/) });
    const served = await drive.read(devToken, 'development', 'web-1');
    expect(served.body).toMatchObject({ environment: 'development', version: 1, document });
    const forPeople = await call('GET', '/config/development');
    expect(JSON.stringify([answer.body, running, forPeople.body])).not.toContain(password);
    const stored = await asSuperuser(app, 'select v.*, p.* from admin_config_versions v, admin_config_proposals p');
    const audited = await asSuperuser(app, 'select old_values, new_values from audit_logs');
    expect(JSON.stringify([stored, audited])).not.toContain(password);
  });

  it('keeps a secret whose mask is sent back, and refuses the mask of another secret', async () => {
    const { running } = await drive.shown('development');
    await deployed({ ...running.document, limit: 20 });
    expect((await drive.read(devToken, 'development')).body.document).toEqual({
      limit: 20,
      database: { host: 'db', password },
    });
    const mask = { $secret: '********', fingerprint: 'k1:00000000000000000000000000000000' };
    const wrong = await drive.propose({ environment: 'development', document: { limit: 20, database: { host: 'db', password: mask } } });
    expect(wrong.body.errors[0].pointer).toBe('/changes/0/document/database/password');
  });

  it('refuses a document that violates its schema, with every place and without repeating values', async () => {
    const bad = await drive.propose({
      environment: 'development',
      document: { limit: 0, database: { password: 'tiny!' }, extra: 1 },
    });
    expect(bad.status).toBe(422);
    const pointers = bad.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort();
    expect(pointers).toEqual([
      '/changes/0/document',
      '/changes/0/document/database',
      '/changes/0/document/database/password',
      '/changes/0/document/limit',
    ]);
    expect(JSON.stringify(bad.body)).not.toContain('tiny!');
  });

  it('refuses an invalid schema, a proposal without a change, and a stale base', async () => {
    const propose = (more: object) => drive.propose({ environment: 'development', document: { limit: 1 }, ...more });
    expect((await propose({ schema: { type: 'nonsense' } })).body.errors[0].pointer).toBe('/changes/0/schema');
    const { running } = await drive.shown('development');
    expect((await propose({ document: running.document })).body.code).toBe('resource.conflict');
    expect((await propose({ base_version: 1 })).body).toMatchObject({
      code: 'config.version-conflict',
      base_version: 1,
      current_version: running.version,
    });
  });

  it('refuses plans with shrinking shares, and guards with addresses that are not permitted', async () => {
    const propose = (plan: object) => drive.propose({ environment: 'development', document: { limit: 3 }, plan });
    const shrinking = { kind: 'custom', stages: [{ percentage: 50, bake_seconds: 1 }, { percentage: 10, bake_seconds: 1 }] };
    expect((await propose({ strategy: shrinking })).status).toBe(422);
    const source = { kind: 'webhook', url: 'http://169.254.169.254/latest' };
    const inward = await propose({ guards: [{ name: 'inward', source }] });
    expect(inward.body.errors[0].pointer).toBe('/changes/0/plan/guards/0/source/url');
    expect((await propose({ unknown: 1 })).body.code).toBe('request.invalid');
  });

  it.each([
    'https://metrics.example/api?token=s3cret',
    'https://reader:s3cret@metrics.example/',
    'https://hooks.slack.com/services/T0/B0/s3cret',
    'https://s3cret0s3cret@metrics.example/',
    'https://metrics.example/#access_token=s3cret',
    'https://metrics.example/api?X-Amz-Signature=s3cret',
    'https://metrics.example/api?to%6ben=s3cret',
    'https://metrics.example/api?key=s3cret',
    'https://discord.com/api/webhooks/1/s3cret',
    `https://metrics.example/cst_${'0a'.repeat(32)}${'x'.repeat(43)}`,
  ])('T-16, S2-58: refuses a guard whose address is a way in, and repeats it nowhere: %s', async (url) => {
    const sources = [
      { kind: 'webhook', url },
      { kind: 'prometheus', url, query: 'up' },
    ];
    for (const source of sources) {
      const answer = await drive.propose({ environment: 'development', document: { limit: 3 }, plan: { guards: [{ name: 'leaky', source }] } });
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ pointer: '/changes/0/plan/guards/0/source/url' }] } });
      expect(JSON.stringify(answer.body)).not.toMatch(/s3cret|0a0a0a/);
    }
  });
});

describe('the address of a guard', () => {
  it.each(['https://metrics.example/api?tokenize=1', 'https://metrics.example/api?code=200'])('T-16, S2-58: may be %s, which shows no secret', (url) => {
    const named = { name: 'plain', source: { kind: 'webhook', url } };
    expect(rolloutPlan.shape.guards.safeParse([named])).toMatchObject({ success: true });
  });
});

describe('reading by applications', () => {
  it('answers 304 to the ETag it gave, until something is rolled out, without reading the database', async () => {
    const first = await drive.read(devToken, 'development', 'web-1');
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
    const { db } = app.api.deps;
    let connections = 0;
    const onAcquire = () => (connections += 1);
    db.readPool.on('acquire', onAcquire);
    for (let index = 0; index < 10; index += 1) {
      expect((await drive.read(devToken, 'development', 'web-1', headers)).status).toBe(304);
    }
    db.readPool.off('acquire', onAcquire);
    expect(connections).toBe(0);
    await deployed({ limit: 77 });
    const changed = await eventually(
      () => drive.read(devToken, 'development', 'web-1', headers),
      ({ status }) => status === 200,
      2_000,
    );
    expect(changed.body.document).toEqual({ limit: 77 });
  });

  it('is limited to the environment of a token, and to people with the permission', async () => {
    expect((await drive.read(devToken, 'staging')).status).toBe(403);
    expect((await app.call('GET', '/config/development')).status).toBe(401);
    expect((await call('GET', '/config/development', agent)).status).toBe(403);
    expect((await call('GET', '/config/development', other.admin)).body.code).toBe('config.none');
    expect((await call('GET', '/config/moon')).status).toBe(404);
  });

  it('counts the instances that report what they run', async () => {
    const report = (instance: string, version: number, token = devToken) =>
      app.call('POST', '/config/development/report', { token, body: { instance, version } });
    expect((await report('web-1', 1)).status).toBe(204);
    await Promise.all([report('web-1', 2), report('web-2', 2), report('web-3', 1)]);
    const { instances } = await drive.shown('development');
    expect(instances).toEqual([
      { version: 1, count: 1 },
      { version: 2, count: 2 },
    ]);
    expect((await report('web 1', 1)).status).toBe(422);
    expect((await report('web-1', 1, agent.token)).status).toBe(403);
  });
});

describe('S2-37, S2-77: production, by approval', () => {
  it('opens a request that shows the difference, and rolls out exactly the approved digest', async () => {
    const answer = await drive.propose({
      environment: 'production',
      schema: shopSchema,
      document: { limit: 5, database: { host: 'prod', password } },
      plan: { strategy: { kind: 'all_at_once' } },
    });
    expect(answer).toMatchObject({ status: 202, body: { action: 'config.apply', environment: 'production', status: 'pending' } });
    const { proposal_id, changes } = answer.body.proposal;
    const shown = await call('GET', `${proposals}/${proposal_id}`, approver);
    expect(shown.body.changes[0]).toMatchObject({ digest: changes[0].digest, version: 1 });
    expect(JSON.stringify(shown.body)).not.toContain(password);
    expect((await drive.approve(approver, answer.body)).body.status).toBe('approved');
    const [deployment] = (
      await eventually(
        () => call('GET', '/admin/deployments?environment=production&status=succeeded'),
        ({ body }) => body.items.length === 1,
      )
    ).body.items;
    expect(deployment).toMatchObject({ approval_id: answer.body.id, digest: changes[0].digest, requested_by: admin.user_id });
    const { ledger } = await drive.deployment(deployment.id);
    expect(ledger.map(({ event }: { event: string }) => event)).toEqual(['started', 'succeeded']);
    expect(ledger[1]).toMatchObject({ approvers: [approver.user_id], approval_id: answer.body.id, stable_version: 1 });
  });

  it('does not roll out a stored document that was altered after the approval', async () => {
    const answer = await drive.propose({ environment: 'production', document: { limit: 6 } });
    const { digest } = answer.body.proposal.changes[0];
    const altered = `update public.admin_config_versions set document = '{"limit": 999}' where digest = '${digest}'`;
    await approvalDriver(app, admin).whenApproved(answer.body.id, altered);
    await drive.approve(approver, answer.body);
    const request = await eventually(
      async () => (await call('GET', `/admin/approvals/${answer.body.id}`)).body,
      ({ status }) => status === 'failed',
    );
    expect(request.failure_code).toBe('approval.payload-changed');
    expect((await drive.shown('production')).running.document.limit).toBe(5);
  });

  it('goes back to what was approved within the window with a second factor only, and requires approval for the rest', async () => {
    const answer = await drive.propose({ environment: 'production', document: { limit: 8 }, plan: { strategy: { kind: 'all_at_once' } } });
    await drive.approve(approver, answer.body);
    await eventually(
      () => drive.shown('production'),
      ({ running, rollout }) => running.document.limit === 8 && rollout === null,
    );
    const history = await call('GET', '/admin/deployments?environment=production');
    const [latest, first] = history.body.items;
    expect((await drive.rollback(latest.id)).body.code).toBe('resource.conflict');
    const back = await drive.rollback(first.id);
    expect(back).toMatchObject({ status: 201, body: { kind: 'rollback', config_version: first.config_version } });
    await drive.settled(back.body.id, 'succeeded');
    expect((await drive.shown('production')).running.document.limit).toBe(5);
    // The same digest, but its approval is older than the window.
    await asSuperuser(app, "update admin_approvals set executed_at = executed_at - interval '31 days' where id = $1", [answer.body.id]);
    const old = await drive.rollback(latest.id);
    expect(old).toMatchObject({ status: 202, body: { action: 'config.rollback', status: 'pending' } });
    await drive.approve(approver, old.body);
    await eventually(
      () => drive.shown('production'),
      ({ running }) => running.document.limit === 8,
    );
    expect((await call('GET', '/admin/deployments/ledger?environment=production')).body).toMatchObject({ is_intact: true, first_broken_seq: null });
  });

  it('T-11: an aborted rollout is no version to go back to, and its requester does not take it past its guards', async () => {
    const stages = [50, 100].map((percentage) => ({ percentage, bake_seconds: 3_600 }));
    const answer = await drive.propose({ environment: 'production', document: { limit: 9 }, plan: { strategy: { kind: 'custom', stages } } });
    await drive.approve(approver, answer.body);
    const newest = async () => (await call('GET', '/admin/deployments?environment=production&limit=1')).body.items[0];
    const { id } = await eventually(newest, ({ status, approval_id }) => status === 'running' && approval_id === answer.body.id);
    expect(await drive.say(id, 'promote')).toMatchObject({ status: 403, body: { code: 'rollout.own-promotion' } });
    expect((await drive.say(id, 'promote', {}, approver)).status).toBe(200);
    // The safe direction stays open to one person, who owes a review of it.
    expect((await drive.say(id, 'abort', { reason: 'wrong limit' })).status).toBe(200);
    const { body } = await call('GET', `/admin/break-glass-reviews?state=open&user_id=${admin.user_id}`);
    expect(body.items).toMatchObject([{ kind: 'rollout_abort', subject: expect.stringContaining('production') }]);
    await drive.settled(id, 'aborted');
    const back = await drive.rollback(id);
    expect(back).toMatchObject({ status: 202, body: { action: 'config.rollback', status: 'pending' } });
    await callProven(app, admin, 'POST', `/admin/approvals/${back.body.id}/cancel`, { body: {} });
  });

  it('S2-61: shows what ran at a time, and detects an altered ledger', async () => {
    const [row] = await asSuperuser<{ at: Date }>(
      app,
      "select at from admin_deployment_events where environment = 'production' and event = 'succeeded' order by seq limit 1",
    );
    const at = (row?.at ?? new Date()).toISOString();
    const then = await call('GET', `/admin/environment-config/at?environment=production&at=${at}`);
    expect(then.body).toMatchObject({ ledger: { approvers: [approver.user_id] }, running: { version: 1, document: { limit: 5 } } });
    const before = await call('GET', '/admin/environment-config/at?environment=production&at=2020-01-01T00:00:00Z');
    expect(before.body.code).toBe('config.none');
    expect(await drive.isIntact('development')).toBe(true);
    await asSuperuser(app, "update admin_deployment_events set evidence = '{}' where environment = 'development' and seq = 2");
    const verified = await call('GET', '/admin/deployments/ledger?environment=development');
    expect(verified.body).toMatchObject({ is_intact: false, first_broken_seq: 2 });
  });
});

describe('permissions, repetition, concurrency and other tenants', () => {
  const body = { changes: [{ environment: 'staging', base_version: null, document: { limit: 1 } }], reason: 'race' };

  it('requires a session, the permission and a second factor', async () => {
    expect((await app.call('POST', proposals, { body })).status).toBe(401);
    expect((await app.call('POST', proposals, { token: agent.token, body })).status).toBe(403);
    expect((await app.call('POST', proposals, { token: admin.token, body })).body.code).toBe('mfa.required');
    expect((await call('GET', '/admin/deployments', agent)).status).toBe(403);
  });

  it('lets one of several concurrent proposals roll out, and repeats the answer for the same idempotency key', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => callProven(app, admin, 'POST', proposals, { body })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    const [deployment] = answers.find(({ status }) => status === 201)?.body.deployments ?? [];
    await drive.settled(deployment.id, 'succeeded');
    const headers = { 'idempotency-key': 'config-once' };
    const change = { environment: 'staging', document: { limit: 2 }, base_version: 1 } as const;
    const first = await drive.propose(change, headers);
    expect(first.status).toBe(201);
    const again = await drive.propose(change, headers);
    expect(again.body.proposal_id).toBe(first.body.proposal_id);
    await drive.settled(first.body.deployments[0].id, 'succeeded');
  });

  it('refuses another change while a rollout is under way, and carries out the commands of people', async () => {
    const slow = { strategy: { kind: 'linear', step_percentage: 50, bake_seconds: 3600 } };
    const { id } = await drive.started({ environment: 'staging', document: { limit: 30 }, plan: slow });
    await drive.settled(id, 'running');
    expect((await drive.propose({ environment: 'staging', document: { limit: 31 } })).body).toMatchObject({
      code: 'rollout.active',
      deployment_id: id,
    });
    expect((await drive.say(id, 'pause', { reason: 'lunch' })).body).toMatchObject({ status: 'paused', candidate_percentage: 50 });
    expect((await drive.say(id, 'pause')).body.code).toBe('rollout.not-possible');
    expect((await app.call('POST', `/admin/deployments/${id}/resume`, { token: admin.token, body: {} })).body.code).toBe('mfa.required');
    expect((await drive.say(id, 'resume')).body.status).toBe('running');
    const aborted = await drive.say(id, 'abort', { reason: 'enough' });
    expect(aborted.body).toMatchObject({ status: 'aborted', candidate_percentage: 0 });
    expect(await drive.shown('staging')).toMatchObject({ running: { document: { limit: 2 } }, candidate: null });
    expect((await drive.say(id, 'promote')).body.code).toBe('rollout.closed');
    expect((await drive.say(id, 'abort', {}, agent)).status).toBe(403);
  });

  it('serves the candidate to about the given share of instances, always the same ones', async () => {
    const plan = { strategy: { kind: 'custom', stages: [{ percentage: 30, bake_seconds: 3600 }, { percentage: 100, bake_seconds: 0 }] } };
    const { id } = await drive.started({ environment: 'staging', document: { limit: 40 }, plan });
    await drive.settled(id, 'running');
    const token = await drive.token('staging');
    const versionsOf = async () => {
      const limits: number[] = [];
      // So many at a time as applications ask: more than that a busy machine refuses (503).
      for (let from = 0; from < 200; from += 20) {
        const asked = Array.from({ length: 20 }, (_, index) => drive.read(token, 'staging', `web-${from + index}`));
        for (const { body } of await Promise.all(asked)) limits.push(body.document.limit);
      }
      return limits;
    };
    const first = await eventually(versionsOf, (limits) => limits.includes(40));
    const share = first.filter((limit) => limit === 40).length / first.length;
    expect(Math.abs(share - 0.3)).toBeLessThan(0.12);
    expect(await versionsOf()).toEqual(first);
    expect((await drive.read(token, 'staging')).body.document.limit).toBe(2);
    expect((await drive.say(id, 'promote')).body.status).toMatch(/running|succeeded/);
    await drive.settled(id, 'succeeded');
    expect(new Set(await eventually(versionsOf, (limits) => !limits.includes(2)))).toEqual(new Set([40]));
  });

  it('can neither be read nor changed by another tenant', async () => {
    const [deployment] = (await call('GET', '/admin/deployments')).body.items;
    expect((await call('GET', '/admin/deployments', other.admin)).body.items).toEqual([]);
    expect((await call('GET', `/admin/deployments/${deployment.id}`, other.admin)).status).toBe(404);
    const back = await callProven(app, other.admin, 'POST', `/admin/deployments/${deployment.id}/rollback`, { body: { reason: 'x' } });
    expect(back.status).toBe(404);
    expect((await call('POST', `/admin/deployments/${nobody}/abort`, other.admin)).status).toBe(404);
    expect((await call('GET', '/admin/environment-config', other.admin)).body.items).toHaveLength(3);
  });
});

describe('S2-35..38 in the typed client', () => {
  it('getEnvironmentConfig, proposeConfigChange, getDeploymentHistory, rollbackConfig', async () => {
    const tokens = { access_token: admin.token, refresh_token: admin.refresh_token };
    const { adminApi } = createCastellanClient({ baseUrl: app.url, tokens });
    const before = (await adminApi.getEnvironmentConfig({ environment: 'development' })).items[0];
    const change = {
      environment: 'development' as const,
      base_version: before?.running?.version ?? null,
      document: { limit: 123 },
      schema: { type: 'object' },
    };
    const outcome = await runProven(app, admin, (proof) => adminApi.proposeConfigChange({ changes: [change], reason: 'client' }, proof));
    if (outcome.kind !== 'done') throw new Error('It waits for an approval.');
    await drive.settled(outcome.result.deployments[0]?.id ?? '', 'succeeded');
    const { items } = await adminApi.getDeploymentHistory({ environment: 'development', limit: 2 });
    expect(items[0]?.id).toBe(outcome.result.deployments[0]?.id);
    const back = await runProven(app, admin, (proof) => adminApi.rollbackConfig(items[1]?.id ?? '', { reason: 'client' }, proof));
    if (back.kind !== 'done') throw new Error('It waits for an approval.');
    expect(back.result.kind).toBe('rollback');
    await drive.settled(back.result.id, 'succeeded');
  });
});
