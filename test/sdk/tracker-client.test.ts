import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { collectHealthSnapshot, writeHealthSnapshot } from '../../scripts/monitoring/collect_health_snapshot.ts';
import { createCastellanClient } from '../../src/sdk/index.ts';
import type { CastellanClient } from '../../src/sdk/index.ts';
import { samplePassword, samplePeople } from '../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { createUserIdentity } from '../support/factories/identity.ts';

const issuer = 'https://clerk.example';
const portal = 'https://portal.example';
const key = generateKeyPairSync('rsa', { modulusLength: 2048 });

let jwks: Server;
let app: TestApi;
let client: CastellanClient;

beforeAll(async () => {
  jwks = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: [{ ...key.publicKey.export({ format: 'jwk' }), kid: 'ins_1', alg: 'RS256', use: 'sig' }] }));
  });
  await new Promise<void>((done) => jwks.listen(0, '127.0.0.1', done));
  const jwks_uri = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/jwks.json`;
  app = await startTestApi({
    TRUSTED_ISSUERS: JSON.stringify([{ issuer, authorized_parties: [portal], jwks_uri, tenant_id: defaultTenantId }]),
  });
  client = createCastellanClient({ baseUrl: app.url });
  await client.signIn({ email: 'superadmin@agentmitra.com', password: samplePassword });
});

afterAll(async () => {
  await app.close();
  await new Promise((done) => jwks.close(done));
});

describe('trackerApi', () => {
  it('a morning: goal, activities, score, week, dashboard', async () => {
    const { trackerApi } = client;
    const { date } = await trackerApi.getDashboard();
    const goal = await trackerApi.createGoal({ week_start: date, target_calls: 2 });
    const activity = await trackerApi.createActivity({ type: 'call', status: 'done', date });
    expect((await trackerApi.getTodayActivities()).map(({ id }) => id)).toEqual([activity.id]);
    expect(await trackerApi.getTodayScore()).toMatchObject({ score: 20, streak_days: 1 });
    expect((await trackerApi.getGoalProgress(goal.id)).types.call).toMatchObject({ done: 1, percent: 50 });
    expect((await trackerApi.getWeekScores()).items).toHaveLength(7);
    await trackerApi.updateActivity(activity.id, { status: 'cancelled' });
    expect(await trackerApi.getStreak()).toMatchObject({ streak_days: 0 });
  });

  it('a prospect from file to contract', async () => {
    const { trackerApi } = client;
    expect(await trackerApi.importProspects('name,email\nAda,ada@client.test\n')).toEqual({ imported: 1, skipped: 0 });
    const [ada] = (await trackerApi.getProspects({ q: 'ada@' })).items;
    if (ada === undefined) throw new Error('not imported');
    const won = await trackerApi.moveProspect(ada.id, { status: 'won' }, { version: ada.version });
    expect(won).toMatchObject({ status: 'won', version: 2 });
    await expect(trackerApi.moveProspect(ada.id, { status: 'open' }, { version: 1 })).rejects.toMatchObject({ status: 412 });
    const text = await new Response(await trackerApi.exportProspects()).text();
    expect(text).toContain('ada@client.test');
  });
});

describe('Clerk’s session tokens with their default claims (T-45, S0-60, S0-61)', () => {
  const tokenOf = async (subject: string, azp = portal) =>
    new SignJWT({ sid: randomUUID(), azp, v: 2, sts: 'active', fva: [3, -1], pla: 'u:free' })
      .setProtectedHeader({ alg: 'RS256', kid: 'ins_1', typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(subject)
      .setNotBefore('-10s')
      .setIssuedAt()
      .setExpirationTime('5 minutes')
      .sign(key.privateKey);
  const link = async (email: string, subject: string) => {
    const user_id = samplePeople.find((person) => person.email === email)?.id ?? '';
    await createUserIdentity(app, { user_id, issuer, subject });
  };
  const dashboard = (token: string) => app.call('GET', '/api/master-admin/dashboard', { token });

  it('the master admin reaches the tracker, a customer gets 403, unknown people and origins 401', async () => {
    const other = samplePeople.find(({ role }) => role === 'role-policyholder')?.email ?? '';
    await link('superadmin@agentmitra.com', 'user_master');
    await link(other, 'user_customer');
    expect((await dashboard(await tokenOf('user_master'))).status).toBe(200);
    expect((await dashboard(await tokenOf('user_customer'))).status).toBe(403);
    expect((await dashboard(await tokenOf('user_nobody'))).status).toBe(401);
    expect((await dashboard(await tokenOf('user_master', 'https://elsewhere.example'))).status).toBe(401);
  });

  it.each([
    ['U+0000', 'user_\u0000'],
    ['half of a surrogate pair', 'user_\ud800'],
    ['more characters than any account has', 'u'.repeat(5_000)],
  ])('a subject with %s gets 401', async (_what, subject) => {
    expect(await dashboard(await tokenOf(subject))).toMatchObject({ status: 401, body: { code: 'auth.required' } });
  });
});

describe('the health snapshot (S0-66, X-22)', () => {
  it('records every route with its expected status; both spellings of the dashboard answer 401', async () => {
    const snapshot = await collectHealthSnapshot(app.url);
    expect(snapshot.routes.filter(({ ok }) => !ok)).toEqual([]);
    expect(snapshot.routes.length).toBeGreaterThan(100);
    for (const path of ['/api/master-admin/dashboard', '/api/v1/master-admin/dashboard']) {
      expect(snapshot.routes).toContainEqual(expect.objectContaining({ path, expected: 401, status: 401, ok: true }));
    }
    const folder = await mkdtemp(join(tmpdir(), 'castellan-health-'));
    const file = await writeHealthSnapshot(snapshot, folder);
    expect(file).toMatch(/health-snapshot-[\dTZ-]+\.json$/);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(snapshot);
    await rm(folder, { recursive: true });
  });
});
