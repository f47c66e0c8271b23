import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/api.ts';
import { startApprovalStage } from '../support/approval-stage.ts';
import type { ApprovalStage } from '../support/approval-stage.ts';
import { partsOfInputs } from '../support/inputs/input-schemas.ts';
import { callProven } from '../support/second-factor.ts';
import { asSuperuser } from '../support/superuser.ts';

const capitals = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';

describe('T-8: an id in capitals is the same id', () => {
  it('in every input of every route and action', () => {
    const ids = partsOfInputs('format', 'uuid');
    expect(ids.length).toBeGreaterThan(150);
    const others = ids.filter(([, schema]) => schema.safeParse(capitals).data !== capitals.toLowerCase()).map(([place]) => place);
    expect(others).toEqual([]);
  });
});

describe('T-8: an account that is written in capitals', () => {
  let stage: ApprovalStage;

  beforeAll(async () => {
    stage = await startApprovalStage();
  });

  afterAll(() => stage.close());

  const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    callProven(stage.app, stage.admin, method, path, { ...(body === undefined ? {} : { body }), headers });
  const show = (path: string) => stage.app.call('GET', path, { token: stage.admin.token });

  it('of somebody who decides is changed by two, as it is in small letters', async () => {
    const { user_id } = stage.second;
    const path = `/admin/users/${user_id.toUpperCase()}`;
    const before = (await show(`/admin/users/${user_id}`)).body;
    const version = { 'if-match': `"${before.version}"` };
    const role = before.roles[0];
    const asked = [
      await send('PUT', path, { phone_number: '+919999999990' }, version),
      await send('PUT', path, { email: 'stolen@people.example' }, version),
      await send('PUT', path, { status: 'inactive' }, version),
      await send('POST', `${path}/identities`, { issuer: 'https://idp.example', subject: 'attacker' }),
      await send('DELETE', `${path}/roles/${role.assignment_id.toUpperCase()}`),
      await send('DELETE', path, undefined, version),
    ];
    expect(asked.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 202]);
    for (const { body } of asked) expect((await stage.drive.detail(body.id)).payload).toMatchObject({ user_id });
    expect((await show(`/admin/users/${user_id}`)).body).toEqual(before);
  });

  it('gives no second request for the same change, and one name in the audit', async () => {
    const { user_id } = stage.provider;
    const { version } = (await show(`/admin/users/${user_id}`)).body;
    const headers = { 'if-match': `"${version}"` };
    const first = await send('PUT', `/admin/users/${user_id}`, { phone_number: '+919999999991' }, headers);
    expect(first.status).toBe(202);
    const again = await send('PUT', `/admin/users/${user_id.toUpperCase()}`, { phone_number: '+919999999991' }, headers);
    expect(again).toMatchObject({ status: 409, body: { code: 'approval.identical-open' } });
    const noted = await send('PUT', `/admin/users/${user_id.toUpperCase()}`, { notes: 'seen' }, headers);
    expect(noted.status).toBe(200);
    const named = await asSuperuser(stage.app, 'select 1 from audit_logs where resource_id ~ $1', ['[A-F].*-.*-.*-.*-']);
    expect(named).toEqual([]);
  });

  it('is one command with the key of the other spelling', async () => {
    const { user_id } = stage.provider;
    const headers = { 'idempotency-key': randomUUID() };
    const first = await send('POST', `/admin/users/${user_id}/force-logout`, undefined, headers);
    const again = await send('POST', `/admin/users/${user_id.toUpperCase()}/force-logout`, undefined, headers);
    expect(again.status).toBe(first.status);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });
});
