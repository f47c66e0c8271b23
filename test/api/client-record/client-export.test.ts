import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { maskOf } from '../../support/document-numbers.ts';
import { grantClients, keepCpf } from '../../support/drivers/client-record.ts';
import { createClientExport, createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { createRole, createRoleAssignment } from '../../support/factories/identity.ts';
import { makePerson, secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let manager: SignedIn;
let other: OtherTenant;

beforeAll(async () => {
  app = await startTestApi();
  await keepCpf(app);
  manager = await app.signIn('role-super-admin');
  other = await secondTenant(app);
});

afterAll(async () => {
  await app.close();
});

const clients = '/api/v1/clients';
const exported = (query = '', token: string = manager.token): Promise<Answer> => app.call('GET', `${clients}/export${query}`, { token });
const file = (id: string, token: string = manager.token): Promise<Answer> => app.call('GET', `${clients}/exports/${id}/file`, { token });
const lines = ({ body }: Answer): string[] => String(body).trim().split('\n').slice(1);
const header =
  'id,kind,name,cpf,cnpj,birth_date,email,phone_number,address_line1,address_line2,address_city,address_region,address_postal_code,address_country,created_at';

describe('export of clients', () => {
  it('holds masked CPF, written CNPJ, guarded cells, and the filters of the list', async () => {
    const cpf = someCpf();
    const person = await createClientRecord(app, { name: '=HYPERLINK("x")', cpf, phone_number: '+5511987654321', address: jsonb({ line1: 'Rua A', line2: null, city: null, region: null, postal_code: null, country: 'BR' }) });
    const company = await createClientRecord(app, { kind: 'company', name: 'Padaria Sol', cpf: null, birth_date: null, cnpj: '12ABC34501DE35', created_by: manager.user_id });
    const deleted = await createClientRecord(app, { name: 'Gone Person', deleted_at: new Date().toISOString() });
    const answer = await exported();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(String(answer.body).split('\n')[0]).toBe(header);
    const of = (rows: string[], id: string) => rows.filter((one) => one.startsWith(id));
    const [shown] = of(lines(answer), person.id);
    expect(shown).toContain(`,person,"'=HYPERLINK(""x"")",***.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-**,,1980-05-17,,'+5511987654321,Rua A,,,,,BR,`);
    expect(of(lines(answer), company.id)[0]).toContain(',company,Padaria Sol,,12.ABC.345/01DE-35,');
    expect(answer.body).not.toContain(cpf);
    expect(answer.body).not.toContain(maskOf(cpf));
    expect(of(lines(answer), deleted.id)).toEqual([]);
    const ids = async (query: string) => lines(await exported(query)).map((one) => one.slice(0, 36));
    expect(await ids('?state=deleted')).toEqual([deleted.id]);
    expect(await ids('?kind=company')).toEqual([company.id]);
    expect(await ids(`?created_by=${manager.user_id}`)).toEqual([company.id]);
    expect(await ids('?q=padar')).toEqual([company.id]);
    expect(await ids('?created_from=2999-01-01T00:00:00Z')).toEqual([]);
    expect(await ids('?created_to=1999-01-01T00:00:00Z')).toEqual([]);
    expect((await exported('?cpf=52998224725')).status).toBe(422);
    expect(await exported('?q=529.982.247-25')).toMatchObject({ status: 422, body: { errors: [{ pointer: '/query/q' }] } });
  });

  it('is audited with the filters asked for, and claims no count', async () => {
    await exported('?kind=company&q=padar&state=deleted');
    const log = await app.call('GET', '/admin/audit-logs?event=client.export&limit=1', { token: manager.token });
    expect(log.body.items).toMatchObject([{ action: 'read', resource_type: 'client_export' }]);
    const entry = await app.call('GET', `/admin/audit-logs/${log.body.items[0].id}`, { token: manager.token });
    expect(entry.body.new_values).toEqual({ state: 'deleted', filters: ['kind', 'q'] });
  });

  it('erased clients are in none, merged ones among the deleted', async () => {
    const now = new Date().toISOString();
    const kept = await createClientRecord(app);
    const erased = await createClientRecord(app, { name: 'Erased', cpf: null, birth_date: null, deleted_at: now, erased_at: now });
    const merged = await createClientRecord(app, { deleted_at: now, merged_into_id: kept.id });
    const approved = await createClientExport(app, manager.user_id, { state: 'deleted' });
    for (const answer of [await exported('?state=deleted'), await file(approved.id)]) {
      expect(answer.body).toContain(merged.id);
      expect(answer.body).not.toContain(erased.id);
    }
  });

  it('goes on over pages, in the order of the list', async () => {
    const made = Array.from({ length: 2_500 }, (_, place) => place);
    await asSuperuser(
      app,
      `insert into clients (tenant_id, kind, name, created_at) select $1, 'company', 'Bulk ' || n, '2020-01-01Z'::timestamptz + (n / 3) * interval '1 second'
       from generate_series(1, $2::int) as n`,
      [other.tenant_id, made.length],
    );
    const rows = lines(await exported('', other.admin.token));
    expect(new Set(rows.map((one) => one.slice(0, 36))).size).toBe(made.length);
    const times = rows.map((one) => one.split(',').at(-1)!);
    expect(times).toEqual(times.toSorted().reverse());
    expect(lines(await exported('?q=bulk', other.admin.token))).toHaveLength(made.length);
  });

  it('takes client:export, which a module does not give', async () => {
    const agent = await app.signIn('role-senior-agent');
    await grantClients(app, agent, ['read']);
    expect((await app.call('GET', `${clients}/export`)).status).toBe(401);
    expect(await exported('', agent.token)).toMatchObject({ status: 403, body: { permission: 'client:export' } });
    expect(lines(await exported('', other.admin.token)).length).toBe(2_500);
  });
});

describe('the file of an approved export', () => {
  it('holds full CPF, can be imported again, and every fetch is counted and audited', async () => {
    const cpf = someCpf();
    const person = await createClientRecord(app, { cpf, name: '+Plus Person' });
    const { id } = await createClientExport(app, manager.user_id, { reason: 'Audit of 2026' });
    const answer = await file(id);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(lines(answer).find((one) => one.startsWith(person.id))).toContain(`,'+Plus Person,${maskOf(cpf)},`);
    await Promise.all([file(id), file(id), file(id)]);
    const list = await app.call('GET', `${clients}/exports`, { token: manager.token });
    expect(list.body.items.find((one: { id: string }) => one.id === id)).toMatchObject({
      state: 'available',
      reason: 'Audit of 2026',
      downloads: 4,
      last_downloaded_at: expect.any(String),
      filters: { state: 'active', kind: null, created_by: null, created_from: null, created_to: null },
    });
    const log = await app.call('GET', `/admin/audit-logs?resource_id=${id}`, { token: manager.token });
    expect(log.body.items).toMatchObject([
      { event: 'client.export-full', action: 'read', resource_type: 'client_export' },
      { event: 'client.export-full' },
      { event: 'client.export-full' },
      { event: 'client.export-full' },
    ]);
    const entry = await app.call('GET', `/admin/audit-logs/${log.body.items[0].id}`, { token: manager.token });
    expect(entry.body.new_values).toEqual({ reason: 'Audit of 2026', downloads: 4 });
    const cells = String(answer.body).trim().split('\n').filter((one) => one.startsWith('id,') || one.startsWith(person.id));
    const kept = cells.map((one) => one.split(',').slice(1, -1).join(',')).join('\n');
    const again = await app.call('POST', `${clients}/import`, { token: other.admin.token, body: kept, headers: { 'content-type': 'text/csv' } });
    expect(again).toMatchObject({ status: 200, body: { created: 1 } });
    const [row] = await asSuperuser(app, 'select name from clients where tenant_id = $1 and cpf = $2', [other.tenant_id, cpf]);
    expect(row).toEqual({ name: '+Plus Person' });
  });

  it('keeps to its filters', async () => {
    const { id } = await createClientExport(app, manager.user_id, { kind: 'company' });
    for (const one of lines(await file(id))) expect(one.split(',')[1]).toBe('company');
  });

  it('is for its requester, in the tenant, for a day', async () => {
    const second = await app.signIn('role-super-admin', 1);
    const { id } = await createClientExport(app, manager.user_id);
    for (const token of [second.token, other.admin.token]) {
      expect(await file(id, token)).toMatchObject({ status: 404, body: { code: 'resource.not-found' } });
      const list = await app.call('GET', `${clients}/exports`, { token });
      expect(list.body.items).toEqual([]);
    }
    expect((await file(randomUUID())).status).toBe(404);
    expect((await app.call('GET', `${clients}/exports/${id}/file`)).status).toBe(401);
    await asSuperuser(
      app,
      "update client_exports set created_at = now() - interval '25 hours', expires_at = now() - interval '1 second' where id = $1",
      [id],
    );
    expect(await file(id)).toMatchObject({ status: 410, body: { code: 'client.export-expired' } });
    const list = await app.call('GET', `${clients}/exports?limit=100`, { token: manager.token });
    expect(list.body.items.find((one: { id: string }) => one.id === id)).toMatchObject({ state: 'expired', downloads: 0 });
  });

  it.each(['client:reveal-cpf', 'client:export'])('takes %s at the time of the fetch', async (missing) => {
    const needed = ['client:reveal-cpf', 'client:export'];
    const role = await createRole(app, { permissions: needed });
    const person = await makePerson(app, defaultTenantId, null);
    await createRoleAssignment(app, { user_id: person.user_id, role_id: role.id });
    const { id } = await createClientExport(app, person.user_id);
    expect((await file(id, person.token)).status).toBe(200);
    const kept = needed.filter((permission) => permission !== missing);
    await asSuperuser(app, 'update admin_roles set permissions = $1 where id = $2', [kept, role.id]);
    expect(await file(id, person.token)).toMatchObject({ status: 403, body: { code: 'auth.forbidden', permission: missing } });
  });

  it('the list has pages', async () => {
    const first = await app.call('GET', `${clients}/exports?limit=2`, { token: manager.token });
    expect(first.body.items).toHaveLength(2);
    const next = await app.call('GET', `${clients}/exports?limit=2&cursor=${first.body.next_cursor}`, { token: manager.token });
    expect(next.body.items).toHaveLength(2);
    expect(next.body.items[0].id).not.toBe(first.body.items[1].id);
  });
});
