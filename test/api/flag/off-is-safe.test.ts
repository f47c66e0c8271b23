import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { startApprovalStage } from '../../support/approval-stage.ts';
import type { ApprovalStage } from '../../support/approval-stage.ts';
import { plainFlag } from '../../support/drivers/approval.ts';
import type { ApprovalDriver } from '../../support/drivers/approval.ts';
import { createFlag } from '../../support/factories/flag.ts';
import { secondTenant } from '../../support/people.ts';
import { callProven, provenCall } from '../../support/second-factor.ts';
import type { Person } from '../../support/second-factor.ts';

let stage: ApprovalStage;
let app: TestApi;
let admin: SignedIn;
let provider: SignedIn;
let drive: ApprovalDriver;

beforeAll(async () => {
  stage = await startApprovalStage();
  ({ app, admin, provider, drive } = stage);
});

afterAll(() => stage.close());

const path = (key: string) => `/admin/feature-flags/${key}`;
const get = async (url: string) => (await app.call('GET', url, { token: admin.token })).body;

const create = (key: string, changes: object = {}): Promise<Answer> =>
  callProven(app, admin, 'POST', '/admin/feature-flags', { body: { key, environment: 'staging', ...plainFlag, enabled: true, ...changes } });

const put = (key: string, version: number, changes: object): Promise<Answer> =>
  callProven(app, admin, 'PUT', path(key), {
    body: { environment: 'staging', ...plainFlag, enabled: true, ...changes },
    headers: { 'if-match': `"${version}"` },
  });

const emergency = (environment: string) => ({ body: { environment, reason: 'it burns' } });

const emergencyOff = (key: string, environment = 'staging', person: Person = admin): Promise<Answer> =>
  callProven(app, person, 'POST', `${path(key)}/emergency-off`, emergency(environment));

/** Everything that an emergency-off writes. */
const traces = async (key: string, environment: string) => ({
  flag: await get(`${path(key)}?environment=${environment}`),
  history: (await get(`${path(key)}/history`)).items,
  reviews: (await get('/admin/break-glass-reviews?state=open')).items,
});

const refused = { status: 409, body: { code: 'flag.off-not-safe' } };

describe('R8: a flag says whether switching it off is safe', () => {
  it('is safe unless it says otherwise, in views and history, and then has an emergency-off', async () => {
    expect(await create('ordinary')).toMatchObject({ status: 201, body: { off_is_safe: true } });
    expect(await get(`${path('ordinary')}?environment=staging`)).toMatchObject({ off_is_safe: true });
    expect((await get(`${path('ordinary')}/history`)).items).toMatchObject([{ definition: { off_is_safe: true } }]);
    expect(await emergencyOff('ordinary')).toMatchObject({ status: 200, body: { enabled: false, off_is_safe: true } });
  });

  it('is set at creation, and then nobody is asked for a factor for an emergency-off that is refused', async () => {
    expect(await create('guarded', { off_is_safe: false })).toMatchObject({ status: 201, body: { off_is_safe: false } });
    const { items } = await get('/admin/feature-flags?environment=staging&limit=100');
    expect(items).toContainEqual(expect.objectContaining({ key: 'guarded', off_is_safe: false }));
    const before = await traces('guarded', 'staging');
    const bare = await app.call('POST', `${path('guarded')}/emergency-off`, { ...emergency('staging'), token: admin.token });
    expect(bare).toMatchObject(refused);
    expect(bare.body.detail).toContain("Switching the flag 'guarded' off in staging is not safe");
    expect(await traces('guarded', 'staging')).toEqual(before);
    // The ordinary gate is the way to switch it off.
    const off = await callProven(app, admin, 'POST', `${path('guarded')}/toggle`, {
      body: { environment: 'staging', enabled: false, version: 1 },
    });
    expect(off).toMatchObject({ status: 200, body: { enabled: false, off_is_safe: false } });
  });

  it('is set and taken back by an update; an update that says nothing of it keeps it', async () => {
    await create('changing');
    expect(await put('changing', 1, { off_is_safe: false })).toMatchObject({ status: 200, body: { version: 2, off_is_safe: false } });
    expect(await put('changing', 2, { description: 'other' })).toMatchObject({ status: 200, body: { version: 3, off_is_safe: false } });
    expect(await put('changing', 3, { description: 'other' })).toMatchObject({ status: 200, body: { version: 3 } });
    expect(await emergencyOff('changing')).toMatchObject(refused);
    const stale = await put('changing', 1, { description: 'other', off_is_safe: true });
    expect(stale.body.differences).toContainEqual({ path: '/off_is_safe', base: true, current: false, proposed: true, conflict: false });
    expect(await put('changing', 3, { description: 'other', off_is_safe: true })).toMatchObject({ status: 200, body: { off_is_safe: true } });
    expect((await emergencyOff('changing')).status).toBe(200);
    expect((await put('changing', 5, { off_is_safe: 'no' })).body.errors).toMatchObject([{ pointer: '/off_is_safe' }]);
  });

  it('is judged again in the transaction: a proof from before it was said changes nothing', async () => {
    await create('meanwhile');
    const late = await provenCall(app, admin, 'POST', `${path('meanwhile')}/emergency-off`, emergency('staging'));
    expect((await put('meanwhile', 1, { off_is_safe: false })).status).toBe(200);
    const before = await traces('meanwhile', 'staging');
    expect(await late()).toMatchObject(refused);
    expect(await traces('meanwhile', 'staging')).toEqual(before);
  });

  it('is approved in production: approvers read it, the worker writes it, and it is taken back the same way', async () => {
    const asked = await create('careful', { environment: 'production', off_is_safe: false });
    expect(asked).toMatchObject({ status: 202, body: { action: 'flag.create' } });
    const shown = await drive.detail(asked.body.id);
    expect(shown.description).toContain('Switching it off is not safe: there is no emergency-off.');
    expect(shown.changes).toContainEqual({ field: 'off is safe', before: null, after: false });
    expect((await drive.approve(provider, asked.body)).status).toBe(200);
    await drive.settled(asked.body.id, 'executed');
    expect(await drive.flag('careful')).toMatchObject({ enabled: true, off_is_safe: false });

    const silent = await put('careful', 1, { environment: 'production', description: 'wider' });
    expect((await drive.detail(silent.body.id)).changes.map(({ field }: { field: string }) => field)).toEqual(['description']);
    expect((await drive.approve(provider, silent.body)).status).toBe(200);
    expect((await drive.settled(silent.body.id, 'executed')).undo).toMatchObject({ payload: { definition: { off_is_safe: false } } });

    const back = await put('careful', 2, { environment: 'production', description: 'wider', off_is_safe: true });
    expect(back).toMatchObject({ status: 202, body: { action: 'flag.update' } });
    expect((await drive.detail(back.body.id)).changes).toEqual([{ field: 'off is safe', before: false, after: true }]);
    const before = await traces('careful', 'production');
    expect(await emergencyOff('careful', 'production')).toMatchObject(refused);
    expect(await traces('careful', 'production')).toEqual(before);
    expect((await drive.approve(provider, back.body)).status).toBe(200);
    await drive.settled(back.body.id, 'executed');
    expect(await emergencyOff('careful', 'production')).toMatchObject({ status: 200, body: { enabled: false, off_is_safe: true } });
  });

  it('is nothing that another tenant sees or shares', async () => {
    await create('same-name', { off_is_safe: false });
    const { tenant_id, admin: outsider } = await secondTenant(app);
    expect((await emergencyOff('same-name', 'staging', outsider)).status).toBe(404);
    await createFlag(app, { tenant_id, key: 'same-name', environment: 'staging', enabled: true });
    expect(await emergencyOff('same-name', 'staging', outsider)).toMatchObject({ status: 200, body: { off_is_safe: true } });
    expect(await get(`${path('same-name')}?environment=staging`)).toMatchObject({ enabled: true, version: 1, off_is_safe: false });
  });

  it('is not known of versions from before: they are shown as they were written', async () => {
    await drive.productionFlag('older');
    expect((await get(`${path('older')}/history`)).items[0].definition).not.toHaveProperty('off_is_safe');
    expect(await drive.flag('older')).toMatchObject({ off_is_safe: true });
  });
});
