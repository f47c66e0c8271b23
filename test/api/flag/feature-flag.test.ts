import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { plainFlag } from '../../support/drivers/approval.ts';
import { callProven, factorProof } from '../../support/second-factor.ts';
import { createFlag } from '../../support/factories/flag.ts';
import { createTenant } from '../../support/factories/identity.ts';

let app: TestApi;
let admin: SignedIn;
let support: SignedIn;
let agent: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  support = await app.signIn('role-support-staff');
  agent = await app.signIn('role-junior-agent');
});

afterAll(async () => {
  await app.close();
});

const create = (key: string, changes: object = {}): Promise<Answer> =>
  callProven(app, admin, 'POST', '/admin/feature-flags', {
    body: { key, environment: 'staging', ...plainFlag, ...changes },
  });

const toggle = (key: string, body: object, person = admin): Promise<Answer> =>
  callProven(app, person, 'POST', `/admin/feature-flags/${key}/toggle`, { body: { environment: 'staging', ...body } });

const read = (key: string, person = admin): Promise<Answer> =>
  app.call('GET', `/admin/feature-flags/${key}?environment=staging`, { token: person.token });

describe('feature flags (S2-14..16)', () => {
  it('S2-68: needs a second factor outside production, and creates the flag at version 1 with its history', async () => {
    const body = { key: 'first', environment: 'staging', ...plainFlag };
    const bare = await app.call('POST', '/admin/feature-flags', { token: admin.token, body });
    expect(bare).toMatchObject({ status: 403, body: { code: 'mfa.required', action: 'flag.create' } });
    const created = await create('first');
    expect(created).toMatchObject({ status: 201, body: { key: 'first', version: 1, updated_by: admin.user_id } });
    expect(created.headers.get('etag')).toBe('"1"');
    const history = await app.call('GET', '/admin/feature-flags/first/history', { token: admin.token });
    expect(history.body.items).toMatchObject([{ change: 'created', version: 1, changed_by: admin.user_id }]);
  });

  it('X-21: a toggle is the 0/100 case, appended to the history', async () => {
    await create('switch');
    const on = await toggle('switch', { enabled: true, version: 1, reason: 'launch' });
    expect(on).toMatchObject({ status: 200, body: { enabled: true, rollout_percentage: 100, version: 2 } });
    const off = await toggle('switch', { enabled: false, version: 2 });
    expect(off.body).toMatchObject({ enabled: false, rollout_percentage: 0, version: 3 });
    const history = await app.call('GET', '/admin/feature-flags/switch/history', { token: admin.token });
    expect(
      history.body.items.map((item: { change: string; reason: string | null }) => [item.change, item.reason]),
    ).toEqual([
      ['toggled', null],
      ['toggled', 'launch'],
      ['created', null],
    ]);
  });

  it('refuses a stale toggle with the three-way difference', async () => {
    await create('stale');
    await toggle('stale', { enabled: true, version: 1 });
    const stale = await toggle('stale', { enabled: false, version: 1 });
    expect(stale).toMatchObject({
      status: 409,
      body: { code: 'flag.version-conflict', base_version: 1, current_version: 2 },
    });
    expect(stale.body.differences).toEqual([
      { path: '/enabled', base: false, current: true, proposed: false, conflict: false },
      { path: '/rollout_percentage', base: 0, current: 100, proposed: 0, conflict: false },
    ]);
  });

  it('replaces a definition under If-Match: 428 without it, 412 with the difference for a stale version', async () => {
    await create('replace');
    const body = { environment: 'staging', ...plainFlag, enabled: true, rollout_percentage: 12.5, description: 'new' };
    const path = '/admin/feature-flags/replace';
    expect((await callProven(app, admin, 'PUT', path, { body })).status).toBe(428);
    const put = await callProven(app, admin, 'PUT', path, { body, headers: { 'if-match': '"1"' } });
    expect(put).toMatchObject({ status: 200, body: { version: 2, rollout_percentage: 12.5 } });
    const again = { ...body, rollout_percentage: 50 };
    const stale = await callProven(app, admin, 'PUT', path, { body: again, headers: { 'if-match': '"1"' } });
    expect(stale).toMatchObject({ status: 412, body: { code: 'resource.version-mismatch', current_version: 2 } });
    expect(stale.body.differences).toContainEqual({
      path: '/rollout_percentage',
      base: 0,
      current: 12.5,
      proposed: 50,
      conflict: true,
    });
  });

  it('accepts one of two concurrent toggles of the same version', async () => {
    await create('race');
    const answers = await Promise.all([
      toggle('race', { enabled: true, version: 1 }),
      toggle('race', { enabled: true, version: 1 }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await read('race')).body.version).toBe(2);
  });

  it('reports every fault of a definition with its place', async () => {
    const answer = await create('broken', {
      on_variant: 'nowhere',
      rollout_percentage: 33.33333,
      rules: [{ name: 'r', serve: [{ variant: 'on', percentage: 40 }] }],
      tenant_id: '00000000-0000-0000-0000-000000000001',
    });
    expect(answer.status).toBe(422);
    const unknown = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    expect(unknown).toContain('/tenant_id');
    const faults = await create('broken', {
      on_variant: 'nowhere',
      rollout_percentage: 33.33333,
      rules: [{ name: 'r', serve: [{ variant: 'on', percentage: 40 }] }],
    });
    expect(faults.body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
      '/on_variant',
      '/rollout_percentage',
      '/rules/0/serve',
    ]);
  });

  it('refuses a used key, another type than in other environments, and a change without effect', async () => {
    await create('typed');
    expect((await create('typed')).status).toBe(409);
    const text = { value_type: 'string', variants: { on: 'a', off: 'b' }, environment: 'development' };
    expect((await create('typed', text)).body.code).toBe('resource.conflict');
    expect((await toggle('typed', { enabled: false, version: 1 })).body.code).toBe('resource.conflict');
  });

  it('is refused without the permission, and readable with the permission to read', async () => {
    await create('guarded');
    expect((await app.call('GET', '/admin/feature-flags')).status).toBe(401);
    expect((await read('guarded', agent)).status).toBe(403);
    expect((await read('guarded', support)).status).toBe(200);
    expect((await toggle('guarded', { enabled: true, version: 1 }, support)).body.code).toBe('auth.forbidden');
  });

  it('does not show flags of another tenant', async () => {
    const { id: tenant_id } = await createTenant(app);
    await createFlag(app, { tenant_id, key: 'theirs', environment: 'staging' });
    expect((await read('theirs')).status).toBe(404);
    expect((await toggle('theirs', { enabled: true, version: 1 })).status).toBe(404);
  });

  it('U-22: a PUT of what is there answers it, without a second factor, a new version or history', async () => {
    await create('settled');
    const shown = await read('settled');
    const { description, value_type, variants, enabled, on_variant, off_variant, rollout_percentage, rules, off_is_safe } = shown.body;
    const definition = { description, value_type, variants, enabled, on_variant, off_variant, rollout_percentage, rules, off_is_safe };
    const headers = { 'if-match': shown.headers.get('etag') ?? '' };
    const put = (body: object) => app.call('PUT', '/admin/feature-flags/settled', { token: admin.token, body, headers });
    for (const body of [{ environment: 'staging', ...definition }, shown.body]) {
      const same = await put(body);
      expect(same).toMatchObject({ status: 200, body: shown.body });
      expect(same.headers.get('etag')).toBe('"1"');
    }
    expect((await put({ ...shown.body, enabled: !enabled, rollout_percentage: 100 })).body.code).toBe('mfa.required');
    for (const [member, value] of [['key', 'renamed'], ['version', 7], ['created_at', '2020-01-01T00:00:00.000Z']] as const) {
      expect(await put({ ...shown.body, [member]: value })).toMatchObject({
        status: 422,
        body: { errors: [{ pointer: `/${member}`, detail: 'cannot be changed' }] },
      });
    }
    const history = await app.call('GET', '/admin/feature-flags/settled/history', { token: admin.token });
    expect(history.body.items).toHaveLength(1);
    const stale = await app.call('PUT', '/admin/feature-flags/settled', { token: admin.token, body: shown.body, headers: { 'if-match': '"2"' } });
    expect(stale.status).toBe(412);
  });

  it('U-22: a PUT of what is there opens no request in production', async () => {
    await createFlag(app, { key: 'settled-live' });
    const at = '/admin/feature-flags/settled-live?environment=production';
    const shown = await app.call('GET', at, { token: admin.token });
    const same = await app.call('PUT', '/admin/feature-flags/settled-live', {
      token: admin.token,
      body: shown.body,
      headers: { 'if-match': shown.headers.get('etag') ?? '' },
    });
    expect(same).toMatchObject({ status: 200, body: { version: shown.body.version } });
  });

  it('U-23: keeps the environments of a key together, whatever the size of a page', async () => {
    for (const key of ['zz-one', 'zz-two', 'zz-three']) {
      for (const environment of ['production', 'development', 'staging'] as const) await createFlag(app, { key, environment });
    }
    const pages: string[][] = [];
    let cursor = '';
    do {
      const { body } = await app.call('GET', `/admin/feature-flags?limit=1${cursor}`, { token: admin.token });
      pages.push(body.items.map((item: { key: string; environment: string }) => `${item.key}/${item.environment}`));
      cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
    } while (cursor !== '');
    expect(pages.filter((page) => page[0]?.startsWith('zz-'))).toEqual(
      ['zz-one', 'zz-three', 'zz-two'].map((key) => ['development', 'staging', 'production'].map((place) => `${key}/${place}`)),
    );
    expect(new Set(pages.flat()).size).toBe(pages.flat().length);
    expect(pages.every((page) => new Set(page.map((one) => one.split('/')[0])).size === 1)).toBe(true);
  });

  it('pages by key', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await app.call('GET', `/admin/feature-flags?environment=staging&limit=2${cursor}`, {
        token: admin.token,
      });
      seen.push(...page.body.items.map((item: { key: string }) => item.key));
      cursor = page.body.next_cursor === null ? '' : `&cursor=${page.body.next_cursor}`;
    } while (cursor !== '');
    expect(seen).toEqual([...seen].sort());
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(['first', 'switch', 'guarded']));
  });

  it('accepts a factor proof once, for exactly the payload it was made for', async () => {
    await create('proof');
    const path = '/admin/feature-flags/proof/toggle';
    const body = { environment: 'staging', enabled: true, version: 1 };
    const asked = await app.call('POST', path, { token: admin.token, body });
    const proof = await factorProof(app, admin, asked.body);
    const send = (what: object) =>
      app.call('POST', path, { token: admin.token, body: what, headers: { 'x-mfa-token': proof } });
    expect((await send({ ...body, enabled: false })).body.code).toBe('mfa.required');
    expect((await send(body)).status).toBe(200);
    expect((await send(body)).body.code).toBe('mfa.required');
  });
});

describe('emergency off', () => {
  it('is one call with a reason, opens a review by somebody else, and switching on again takes the ordinary gate', async () => {
    await createFlag(app, { key: 'burning', enabled: true, rollout_percentage: 25 });
    const path = '/admin/feature-flags/burning/emergency-off';
    expect((await callProven(app, admin, 'POST', path, { body: { environment: 'production' } })).status).toBe(422);
    const body = { environment: 'production', reason: 'checkout is on fire' };
    const off = await callProven(app, admin, 'POST', path, { body });
    expect(off).toMatchObject({ status: 200, body: { enabled: false, rollout_percentage: 0, version: 2 } });
    expect((await callProven(app, admin, 'POST', path, { body })).status).toBe(409);

    const reviews = await app.call('GET', '/admin/break-glass-reviews?state=open', { token: admin.token });
    expect(reviews.body.items).toMatchObject([
      { kind: 'emergency_off', user_id: admin.user_id, subject: 'feature flag burning in production' },
    ]);
    const complete = (person: SignedIn) =>
      callProven(app, person, 'POST', `/admin/break-glass-reviews/${reviews.body.items[0].id}/complete`, {
        body: { verdict: 'justified', comment: 'it was' },
      });
    expect((await complete(admin)).body.code).toBe('approval.own-request');
    const other = await app.signIn('role-super-admin', 1);
    expect(await complete(other)).toMatchObject({ status: 200, body: { reviewed_by: other.user_id } });
    expect((await complete(other)).body.code).toBe('approval.review-closed');
  });
});
