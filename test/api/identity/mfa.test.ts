import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Answer, SignedIn } from '../../support/api.ts';
import type { ClockedApis } from '../../support/clocked-apis.ts';
import { startClockedApis } from '../../support/clocked-apis.ts';

let apis: ClockedApis;
let admin: SignedIn;
let approver: SignedIn;

const digest = createHash('sha256').update('payload').digest('hex');
const wrongCode = (right: string) => (right === '000000' ? '111111' : '000000');

beforeAll(async () => {
  apis = await startClockedApis();
  admin = await apis.signIn('role-super-admin');
  approver = await apis.signIn('role-super-admin', 1);
});

afterAll(() => apis.close());

beforeEach(async () => {
  apis.nextStep();
  await apis.admin.query('truncate rate_limit_counters');
});

async function challenge(person: SignedIn, action = 'flag.toggle', payload_digest = digest): Promise<string> {
  const answer = await apis.call('POST', '/admin/mfa/request', {
    token: person.token,
    body: { action, payload_digest },
  });
  expect(answer.status).toBe(201);
  return answer.body.challenge_id;
}

const verify = (person: SignedIn, challenge_id: string, code: string, call = apis.call): Promise<Answer> =>
  call('POST', '/admin/mfa/verify', { token: person.token, body: { challenge_id, code } });

const challengeRow = async (id: string) => {
  const { rows } = await apis.admin.query('select * from mfa_challenges where id = $1', [id]);
  return rows[0];
};

const statuses = (answers: readonly Answer[], status: number) => answers.filter((answer) => answer.status === status);

describe('requestMFACode and verifyMFACode (S2-44, S2-45, S2-69)', () => {
  it('bind a proof to person, session, action and payload', async () => {
    const body = { kind: 'email', name: 'Operations', email: 'ops@example.com', events: ['*'] };
    const path = '/admin/notifications/channels';
    const asked = await apis.call('POST', path, { token: admin.token, body });
    expect(asked.status).toBe(403);
    expect(asked.body).toMatchObject({ code: 'mfa.required', action: 'createNotificationChannel' });
    const { action, payload_digest } = asked.body;
    const id = await challenge(admin, action, payload_digest);
    const verified = await verify(admin, id, apis.code(admin));
    expect(verified.status).toBe(200);
    expect(verified.body).toEqual({ mfa_token: expect.any(String), expires_in: 300 });
    const headers = { 'x-mfa-token': verified.body.mfa_token };

    const secondSession = await apis.signIn('role-super-admin');
    for (const [token, otherBody] of [
      [admin.token, { ...body, email: 'eve@example.com' }],
      [approver.token, body],
      [secondSession.token, body],
    ] as const) {
      const refused = await apis.call('POST', path, { token, body: otherBody, headers });
      expect(refused.status).toBe(403);
      expect(refused.body.code).toBe('mfa.required');
    }

    const uses = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? apis.call : apis.callOther)('POST', path, { token: admin.token, body, headers }),
      ),
    );
    expect(statuses(uses, 201)).toHaveLength(1);
    expect(statuses(uses, 403)).toHaveLength(7);
    expect((await challengeRow(id)).consumed_at).not.toBeNull();
  });

  it('leave the proof unused when the change it was sent with fails', async () => {
    const body = { kind: 'email', name: 'Second', email: 'ops2@example.com', events: ['*'] };
    const path = '/admin/notifications/channels';
    const asked = await apis.call('POST', path, { token: admin.token, body });
    const id = await challenge(admin, asked.body.action, asked.body.payload_digest);
    const { mfa_token } = (await verify(admin, id, apis.code(admin))).body;
    const options = { token: admin.token, body, headers: { 'x-mfa-token': mfa_token } };
    await apis.admin.query("update notification_channels set name = 'Second' where name = 'Operations'");
    // T-14: without a proof the refusal comes before the question for one.
    expect((await apis.call('POST', path, { token: admin.token, body })).status).toBe(409);
    expect((await apis.call('POST', path, options)).status).toBe(409);
    expect((await challengeRow(id)).consumed_at).toBeNull();
    await apis.admin.query("update notification_channels set name = 'Renamed' where name = 'Second'");
    expect((await apis.call('POST', path, options)).status).toBe(201);
  });

  it('bind a proof to the version that was read: it changes no other one, whoever has written it', async () => {
    const body = { kind: 'email', name: 'Versioned', email: 'ops3@example.com', events: ['*'] };
    const { token } = admin;
    const send = (method: string, path: string, request: object, headers: Record<string, string>) =>
      apis.call(method, path, { token, body: request, headers });
    const proven = async (method: string, path: string, request: object, headers: Record<string, string> = {}) => {
      apis.nextStep();
      const asked = await send(method, path, request, headers);
      const id = await challenge(admin, asked.body.action, asked.body.payload_digest);
      const { mfa_token } = (await verify(admin, id, apis.code(admin))).body;
      return { ...headers, 'x-mfa-token': mfa_token as string };
    };
    const channels = '/admin/notifications/channels';
    const { id } = (await send('POST', channels, body, await proven('POST', channels, body))).body;
    const path = `${channels}/${id}`;
    const change = { is_enabled: false };
    const ofFirst = await proven('PATCH', path, change, { 'if-match': '"1"' });
    await apis.admin.query('update notification_channels set version = 2 where id = $1', [id]);
    for (const tag of ['"2"', '"3"', '*']) {
      const other = await send('PATCH', path, change, { ...ofFirst, 'if-match': tag });
      expect(other.body).toMatchObject({ status: 403, code: 'mfa.required' });
    }
    expect((await send('PATCH', path, change, ofFirst)).body).toMatchObject({ status: 412, code: 'resource.version-mismatch' });
    await apis.admin.query('update notification_channels set version = 1 where id = $1', [id]);
    expect((await send('PATCH', path, change, ofFirst)).status).toBe(200);
  });

  it('record the time of the last proof with the session (S2-69)', async () => {
    const mfaAt = async () => {
      const { rows } = await apis.admin.query('select mfa_at from sessions where id = $1', [approver.session_id]);
      return rows[0].mfa_at;
    };
    expect(await mfaAt()).toBeNull();
    await verify(approver, await challenge(approver), apis.code(approver));
    expect(await mfaAt()).not.toBeNull();
  });

  it('accept one code once, of 64 parallel submissions over two processes, in every one of 20 rounds', async () => {
    for (let round = 0; round < 20; round += 1) {
      await apis.admin.query('truncate rate_limit_counters');
      apis.nextStep();
      const id = await challenge(admin);
      const other = await challenge(admin);
      const code = apis.code(admin);
      const answers = await Promise.all(
        Array.from({ length: 64 }, (_, index) =>
          verify(admin, index % 4 < 2 ? id : other, code, index % 2 === 0 ? apis.call : apis.callOther),
        ),
      );
      expect(statuses(answers, 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    }
  });

  it('refuse a used code and one of the time step before with reasons other than wrong', async () => {
    const code = apis.code(admin);
    expect((await verify(admin, await challenge(admin), code)).status).toBe(200);
    const used = await verify(admin, await challenge(admin), code);
    expect(used.body).toMatchObject({ status: 403, code: 'mfa.code-refused', reason: 'used' });
    apis.nextStep();
    apis.nextStep();
    const late = await verify(admin, await challenge(admin), apis.code(admin, -1));
    expect(late.body).toMatchObject({ status: 403, code: 'mfa.code-refused', reason: 'late' });
    for (const away of [-2, 1]) {
      const wrong = await verify(admin, await challenge(admin), apis.code(admin, away));
      expect(wrong.body).toMatchObject({ status: 403, code: 'mfa.code-refused', reason: 'wrong' });
    }
  });

  it('lock a challenge at the fifth wrong code, for good, with an audit event (S2-69)', async () => {
    const id = await challenge(admin);
    for (let left = 4; left >= 1; left -= 1) {
      const refused = await verify(admin, id, wrongCode(apis.code(admin)));
      expect(refused.body).toMatchObject({ status: 403, code: 'mfa.code-refused', attempts_left: left });
      // The count is committed although the request failed.
      expect((await challengeRow(id)).attempts).toBe(5 - left);
    }
    expect((await verify(admin, id, wrongCode(apis.code(admin)))).body).toMatchObject({
      status: 429,
      code: 'mfa.locked',
    });
    expect((await challengeRow(id)).locked_at).not.toBeNull();
    expect((await verify(admin, id, apis.code(admin))).body).toMatchObject({ status: 429, code: 'mfa.locked' });
    const { rows } = await apis.admin.query("select 1 from audit_logs where entry::jsonb ->> 'event' = 'mfa.lock'");
    expect(rows).toHaveLength(1);
    expect((await verify(admin, await challenge(admin), apis.code(admin))).status).toBe(200);
  });

  it('verify no more than five of fifty codes that arrive at once', async () => {
    const id = await challenge(admin);
    const right = apis.code(admin);
    const guesses = Array.from({ length: 50 }, (_, index) => String(index).padStart(6, '0')).filter(
      (code) => code !== right,
    );
    const answers = await Promise.all(
      guesses.map((code, index) => verify(admin, id, code, index % 2 === 0 ? apis.call : apis.callOther)),
    );
    expect(answers.filter(({ body }) => body.reason === 'wrong')).toHaveLength(5);
    expect((await challengeRow(id)).attempts).toBe(5);
    expect((await verify(admin, id, right)).status).toBe(429);
  });

  it('lock the person after ten wrong codes in an hour, over challenges and routes', async () => {
    const first = await challenge(admin);
    const second = await challenge(admin);
    const wrong = wrongCode(apis.code(admin));
    for (let count = 0; count < 4; count += 1) {
      await verify(admin, first, wrong);
      await verify(admin, second, wrong, apis.callOther);
    }
    const body = { password: 'testpassword', code: wrong };
    expect((await apis.call('POST', '/auth/totp/disable', { token: admin.token, body })).status).toBe(403);
    expect((await apis.call('POST', '/auth/totp/recovery-codes', { token: admin.token, body })).status).toBe(403);
    for (const answer of [
      await verify(admin, await challenge(admin), apis.code(admin)),
      await apis.call('POST', '/auth/totp/disable', { token: admin.token, body: { ...body, code: apis.code(admin) } }),
    ]) {
      expect(answer.body).toMatchObject({ status: 429, code: 'mfa.locked' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3_000);
    }
    expect((await verify(approver, await challenge(approver), apis.code(approver))).status).toBe(200);
  });

  it('can be answered by the owner only, and only in the session that asked', async () => {
    const id = await challenge(admin);
    const again = await apis.signIn('role-super-admin');
    for (const person of [approver, again]) {
      expect((await verify(person, id, apis.code(person))).status).toBe(404);
    }
    expect((await challengeRow(id)).attempts).toBe(0);
    expect((await verify(admin, 'c9b1d0f6-0a5e-4f57-9a52-3f8b1f0b0001', apis.code(admin))).status).toBe(404);
  });

  it('are not for service tokens, and the attempt is audited', async () => {
    const path = '/admin/service-tokens';
    const body = { name: 'robot', permissions: ['notification:manage'] };
    const asked = await apis.call('POST', path, { token: admin.token, body });
    const id = await challenge(admin, asked.body.action, asked.body.payload_digest);
    const { mfa_token } = (await verify(admin, id, apis.code(admin))).body;
    const { token } = (
      await apis.call('POST', path, { token: admin.token, body, headers: { 'x-mfa-token': mfa_token } })
    ).body;
    const request = { action: 'flag.toggle', payload_digest: digest };
    expect((await apis.call('POST', '/admin/mfa/request', { token, body: request })).status).toBe(403);
    const gated = await apis.call('DELETE', `/admin/notifications/channels/${id}`, { token });
    expect(gated.body).toMatchObject({ status: 403, code: 'mfa.required' });
    const { rows } = await apis.admin.query(
      "select 1 from audit_logs where entry::jsonb -> 'actor' ->> 'kind' = 'service' and entry::jsonb ->> 'outcome' = 'refused'",
    );
    expect(rows).toHaveLength(1);
  });

  it('expire after five minutes, and an answered one cannot be answered again', async () => {
    const id = await challenge(admin);
    await apis.admin.query("update mfa_challenges set expires_at = now() - interval '1 second' where id = $1", [id]);
    expect((await verify(admin, id, apis.code(admin))).body).toMatchObject({
      status: 409,
      code: 'mfa.challenge-closed',
    });
    const met = await challenge(admin);
    expect((await verify(admin, met, apis.code(admin))).status).toBe(200);
    expect((await verify(admin, met, apis.code(admin))).body).toMatchObject({
      status: 409,
      code: 'mfa.challenge-closed',
    });
  });

  it('refuse when attempts cannot be counted (fail closed)', async () => {
    const id = await challenge(admin);
    await apis.admin.query('alter table rate_limit_counters rename to away');
    try {
      expect((await verify(admin, id, apis.code(admin))).body).toMatchObject({
        status: 503,
        code: 'service.unavailable',
      });
      expect((await challengeRow(id)).attempts).toBe(0);
    } finally {
      await apis.admin.query('alter table away rename to rate_limit_counters');
    }
    expect((await verify(admin, id, apis.code(admin))).status).toBe(200);
  });

  it.each([
    [{ action: '', payload_digest: digest }],
    [{ action: 'a b', payload_digest: digest }],
    [{ action: 'flag.toggle', payload_digest: digest.toUpperCase() }],
    [{ action: 'flag.toggle', payload_digest: digest, method: 'email' }],
    [{ action: 'flag.toggle' }],
  ])('refuse the request %j', async (body) => {
    expect((await apis.call('POST', '/admin/mfa/request', { token: admin.token, body })).status).toBe(422);
  });
});

describe('codes by e-mail, for people without an app (S2-69)', () => {
  let agent: SignedIn;

  beforeAll(async () => {
    agent = await apis.signIn('role-junior-agent');
    await apis.withoutApp(agent);
  });

  const mailedCode = async (): Promise<string> => {
    const { body } = await apis.call('GET', `/dev/outbox?to=${agent.email}`);
    return /Your code is (\d{6})/.exec(body[0].body)?.[1] ?? '';
  };

  it('are six digits, sent to the address on record, and nowhere else', async () => {
    const asked = await apis.call('POST', '/admin/mfa/request', {
      token: agent.token,
      body: { action: 'flag.toggle', payload_digest: digest },
    });
    expect(asked.body).toMatchObject({ method: 'email', attempts_left: 5, sent_to: 'j•••@agentmitra.com' });
    const code = await mailedCode();
    expect(code).toMatch(/^\d{6}$/);
    expect(JSON.stringify(asked.body)).not.toContain(code);
    const row = await challengeRow(asked.body.challenge_id);
    expect(row.code_hash).not.toContain(code);
    const { rows } = await apis.admin.query('select * from audit_logs');
    expect(JSON.stringify(rows)).not.toContain(code);
    expect((await verify(agent, asked.body.challenge_id, code)).status).toBe(200);
  });

  it('are accepted once of 64 parallel submissions, and for their own challenge only', async () => {
    const other = await challenge(agent);
    const id = await challenge(agent);
    const code = await mailedCode();
    expect((await verify(agent, other, code)).body).toMatchObject({ code: 'mfa.code-refused', reason: 'wrong' });
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => verify(agent, id, code, index % 2 === 0 ? apis.call : apis.callOther)),
    );
    expect(statuses(answers, 200)).toHaveLength(1);
  });

  it('are not offered to people with an app, and their number in a quarter of an hour is limited', async () => {
    const { body } = await apis.call('GET', `/dev/outbox?to=${admin.email}`);
    expect(body).toEqual([]);
    const answers: Answer[] = [];
    for (let count = 0; count < 32; count += 1) {
      answers.push(
        await apis.call('POST', '/admin/mfa/request', {
          token: agent.token,
          body: { action: 'a', payload_digest: digest },
        }),
      );
    }
    expect(statuses(answers, 201)).toHaveLength(30);
    expect(statuses(answers, 429)).toHaveLength(2);
  });
});
