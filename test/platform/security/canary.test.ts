import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../src/api/server.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { totpCodeOfStep, totpStepAt } from '../../../src/platform/security/totp.ts';
import { installTemporalRuntime, startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { Answer, CallOptions, SignedIn, TestApi } from '../../support/api.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import { Recording, dumpTables, dumpWorkflows } from '../../support/dumps.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { freshTotpCode } from '../../support/totp.ts';

/** Holds codes on purpose, to be read in development; it does not exist in production. */
const outbox = 'development_mails';

const recording = new Recording();
/** The secrets of this run, by kind. */
const canaries = new Map<string, string>();
/** Bodies of refusals, and everything else that may be shown to anybody. */
const shown: string[] = [];

let app: TestApi;
let api: RunningApi;
let worker: RunningWorker;

beforeAll(async () => {
  const log = createLogger({ level: 'trace', name: 'canary', destination: recording });
  installTemporalRuntime(log);
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath(), LOG_LEVEL: 'trace', OUTBOUND_ALLOW: '127.0.0.1:9' });
  api = await startApi(app.env, log);
  worker = await startWorker(app.env, log);
});

afterAll(async () => {
  await worker.close();
  await api.close();
  await app.close();
});

function mark(what: string, secret: string): void {
  if (typeof secret !== 'string' || secret.length < 6) throw new Error(`No secret was given for ${what}.`);
  canaries.set(what, secret);
}

async function call(method: string, path: string, options?: CallOptions): Promise<Answer> {
  const answer = await callApi(api.url, method, path, options);
  if (answer.status >= 400) shown.push(JSON.stringify(answer.body));
  return answer;
}

async function signIn(email: string, what: string): Promise<{ token: string; refresh_token: string }> {
  const { status, body } = await call('POST', '/auth/login', { body: { email, password: samplePassword } });
  expect(status).toBe(200);
  mark(`access token of ${what}`, body.access_token);
  mark(`refresh token of ${what}`, body.refresh_token);
  return { token: body.access_token, refresh_token: body.refresh_token };
}

/** A gated call in full: refusal, challenge, wrong code, right code, proof, the call again, and the proof once more. */
async function gated(person: SignedIn, what: string, method: string, path: string, body: unknown): Promise<Answer> {
  const { token } = person;
  const asked = await call(method, path, { token, body });
  expect(asked.body.code).toBe('mfa.required');
  const { action, payload_digest } = asked.body;
  const challenge = await call('POST', '/admin/mfa/request', { token, body: { action, payload_digest } });
  const challenge_id = challenge.body.challenge_id;
  const verify = (code: string) => call('POST', '/admin/mfa/verify', { token, body: { challenge_id, code } });
  const wrong = totpCodeOfStep(person.totp_secret, totpStepAt(Date.now()) + 1000);
  mark(`wrong code of ${what}`, wrong);
  expect((await verify(wrong)).status).toBeGreaterThanOrEqual(400);
  const code = await freshTotpCode(person);
  mark(`code of ${what}`, code);
  const proof = (await verify(code)).body.mfa_token;
  mark(`factor proof of ${what}`, proof);
  const done = await call(method, path, { token, body, headers: { 'x-mfa-token': proof } });
  await call(method, path, { token, body, headers: { 'x-mfa-token': proof } });
  return done;
}

describe('secrets are stored and shown nowhere but where they belong', () => {
  it('every kind of secret is used, in requests that succeed and that fail', async () => {
    mark('password', samplePassword);
    const wrongPassword = 'canary-wrong-Passw0rd-7f3a';
    mark('wrong password', wrongPassword);
    const admin = await app.signIn('role-super-admin');
    const provider = await app.signIn('role-provider-admin');
    for (const person of [admin, provider]) mark(`TOTP secret of ${person.email}`, person.totp_secret);

    await call('POST', '/auth/login', { body: { email: admin.email, password: wrongPassword } });
    await call('POST', '/auth/login', { body: { email: admin.email, password: wrongPassword, extra: wrongPassword } });
    await call('POST', '/auth/login', { body: `{"password":"${wrongPassword}` });
    const session = await signIn(admin.email, 'the first session');
    const renewed = await call('POST', '/auth/refresh', { body: { refresh_token: session.refresh_token } });
    mark('renewed refresh token', renewed.body.refresh_token);
    await call('POST', '/auth/refresh', { body: { refresh_token: session.refresh_token } });
    await call('GET', '/users/me', { token: session.token });
    await call('PUT', '/users/me/password', {
      token: admin.token,
      body: { current_password: wrongPassword, new_password: 'canary-new-Passw0rd-91c2' },
    });
    mark('new password', 'canary-new-Passw0rd-91c2');

    const junior = await signIn('junior.agent@agentmitra.com', 'somebody setting up TOTP').catch(() => null);
    if (junior !== null) await call('POST', '/auth/totp/setup', { token: junior.token, body: { password: wrongPassword } });

    const webhook = { name: 'canary', kind: 'webhook', url: 'http://127.0.0.1:9/hook', events: ['approval.opened', 'approval.executed'] };
    const channel = await gated(admin, 'a webhook', 'POST', '/admin/notifications/channels', webhook);
    expect(channel.status).toBe(201);
    mark('webhook secret', channel.body.secret);

    const service = { name: 'canary', environment: 'production', permissions: ['flag:evaluate'] };
    const issued = await gated(provider, 'a service token', 'POST', '/admin/service-tokens', service);
    expect(issued.status).toBe(201);
    const token = Object.values(issued.body as Record<string, unknown>).find((value) => typeof value === 'string' && /^[a-z]+_.{20,}/.test(value));
    mark('service token', token as string);
    await call('POST', '/ofrep/v1/evaluate/flags', { token: token as string, body: { context: { targetingKey: 'x' } } });
    await call('GET', '/users/me', { token: token as string });
  });

  it('and in an approval that is opened, approved and executed by a workflow', async () => {
    const admin = await app.signIn('role-super-admin', 1);
    const provider = await app.signIn('role-provider-admin');
    mark('TOTP secret of the requester', admin.totp_secret);
    const drive = approvalDriver(app, admin);
    await drive.productionFlag('canary');
    const body = { environment: 'production', enabled: true, version: 1, reason: 'canary' };
    const opened = await gated(admin, 'the request', 'POST', '/admin/feature-flags/canary/toggle', body);
    expect(opened.status).toBe(202);
    const { id, digest } = opened.body;
    const approved = await gated(provider, 'the approval', 'POST', `/admin/approvals/${id}/approve`, { digest });
    expect(approved.status).toBe(200);
    await drive.settled(id, 'executed');
  });

  it('none of them is in logs, workflows, tables, refusals or metrics', async () => {
    shown.push((await call('GET', '/metrics')).body);
    const tables = await dumpTables(app.database.adminUrl);
    tables.delete(outbox);
    const workflows = await dumpWorkflows(api.deps.temporal.client, app.env.TEMPORAL_TASK_QUEUE);
    const places = new Map<string, string>([
      ['log', recording.text],
      ['refusals and metrics', shown.join('\n')],
      ...[...tables].map(([name, text]) => [`table ${name}`, text] as const),
      ...[...workflows].map(([id, text]) => [`workflow ${id}`, text] as const),
    ]);
    // The search covers what it should: each kind of place has content.
    expect(recording.text).toContain('/admin/approvals/:id/approve');
    expect(recording.text.split('\n').length).toBeGreaterThan(20);
    expect([...workflows.keys()].some((id) => id.startsWith('approval/'))).toBe(true);
    expect([...workflows.values()].join('\n')).toContain('canary');
    expect(tables.get('audit_logs')).toContain('approval.execute');
    expect(canaries.size).toBeGreaterThanOrEqual(20);

    const found: string[] = [];
    for (const [what, secret] of canaries) {
      for (const [place, text] of places) if (holds(text, secret)) found.push(`${what} in ${place}`);
    }
    expect(found).toEqual([]);
  });
});

/** Six digits could be part of any number; the rest must not appear in any surroundings. */
function holds(text: string, secret: string): boolean {
  return /^\d+$/.test(secret) ? new RegExp(`(?<![\\w.-])${secret}(?![\\w.-])`).test(text) : text.includes(secret);
}
