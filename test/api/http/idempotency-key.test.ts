import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { makePerson } from '../../support/people.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await app.close();
});

/** Notes an activity: a change that is seen when it happens twice. */
const create = (key: string, body: unknown, person: SignedIn = admin) =>
  app.call('POST', activities, { token: person.token, body, headers: { 'idempotency-key': key } });

const activities = '/api/v1/master-admin/activities';
const activity = (notes: string) => ({ type: 'call', status: 'done', date: '2026-11-20', notes });

async function countOf(notes: string): Promise<number> {
  const rows = await asSuperuser(app, 'select from admin_activities where notes = $1', [notes]);
  return rows.length;
}

describe('Idempotency-Key', () => {
  it('gives a repetition the first status and body, without doing it again', async () => {
    const key = randomUUID();
    const first = await create(key, activity('replayed'));
    expect(first.status).toBe(201);
    const again = await create(key, activity('replayed'));
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await countOf('replayed')).toBe(1);
  });

  it('refuses the key for another payload or another path with 422', async () => {
    const key = randomUUID();
    expect((await create(key, activity('first'))).status).toBe(201);
    expect((await create(key, activity('second'))).body).toMatchObject({ status: 422, code: 'idempotency.key-reused' });
    const other = await app.call('POST', '/api/v1/master-admin/goals', {
      token: admin.token,
      body: { week_start: '2026-11-16' },
      headers: { 'idempotency-key': key },
    });
    expect(other.body).toMatchObject({ status: 422, code: 'idempotency.key-reused' });
  });

  it('refuses the key for another version: a repetition is built on the one that its first request named', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const { token } = admin;
    const made = await app.call('POST', '/api/admin/campaigns', { token, body: { name: 'Versions', status: 'active' } });
    const update = (version: number) =>
      app.call('PUT', `/api/admin/campaigns/${made.body.id}`, {
        token,
        body: { description: 'changed' },
        headers: { ...headers, 'if-match': `"${version}"` },
      });
    expect(await update(1)).toMatchObject({ status: 200, body: { version: 2 } });
    expect((await update(2)).body).toMatchObject({ status: 422, code: 'idempotency.key-reused' });
    const again = await update(1);
    expect(again).toMatchObject({ status: 200, body: { version: 2 } });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  it('is not poisoned by a failed validation, nor by a refusal', async () => {
    const key = randomUUID();
    expect((await create(key, { ...activity('valid later'), type: 'dance' })).status).toBe(422);
    expect((await create(key, activity('valid later'))).status).toBe(201);
  });

  it('does a request once when twenty come at the same time', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(key, activity('parallel'))));
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses]).toEqual([201]);
    expect(await countOf('parallel')).toBe(1);
  });

  it('refuses a key of 300 characters and of others than visible ASCII with 400', async () => {
    expect((await create('k'.repeat(300), activity('long'))).body).toMatchObject({ status: 400, code: 'idempotency.key-invalid' });
    expect((await create('two words', activity('words'))).body).toMatchObject({ status: 400, code: 'idempotency.key-invalid' });
  });

  it('keeps answers sealed: they are not in the table in the clear', async () => {
    const rows = await asSuperuser<{ response_sealed: string }>(
      app,
      'select response_sealed from idempotency_keys where response_sealed is not null',
    );
    expect(rows.length).toBeGreaterThan(0);
    for (const { response_sealed } of rows) expect(response_sealed).not.toMatch(/replayed|call|done/);
  });

  it('is one person’s: another may use the same key', async () => {
    const key = randomUUID();
    expect((await create(key, activity('mine'))).status).toBe(201);
    const other = await makePerson(app, defaultTenantId, 'role-super-admin');
    const theirs = await create(key, activity('theirs'), other);
    expect(theirs.status).toBe(201);
    expect(theirs.body.notes).toBe('theirs');
  });
});
