import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { maskOf } from '../../support/document-numbers.ts';
import { clients, grantClients, keepCpf, person } from '../../support/drivers/client-record.ts';
import { createContact } from '../../support/factories/assignment.ts';
import { createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { secondTenant } from '../../support/people.ts';
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

function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = manager.token): Promise<Answer> {
  return app.call(method, path, { token, ...(body === undefined ? {} : { body }), headers });
}

async function created(body: Record<string, unknown> = person()): Promise<Answer> {
  const answer = await call('POST', clients, body);
  expect(answer).toMatchObject({ status: 201 });
  return answer;
}

const etagOf = ({ headers }: Answer) => ({ 'if-match': headers.get('etag') ?? '' });

describe('S4-2, S4-19: a client record', () => {
  it('is created, read, changed by version, deleted and restored', async () => {
    const cpf = someCpf();
    const first = await created(person({ cpf: maskOf(cpf), email: 'Maria@People.Example', phone_number: '+5511987654321', address: { line1: 'Rua A, 1' } }));
    const one = `${clients}/${first.body.id}`;
    expect(first.headers.get('location')).toBe(one);
    const shown = `***.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-**`;
    expect(first.body).toMatchObject({ kind: 'person', cpf: shown, email: 'maria@people.example', is_active: true, version: 1, created_by: manager.user_id });
    expect(first.body.created_by_name).toEqual(expect.any(String));
    const read = await call('GET', one);
    expect(read.body).toEqual(first.body);
    expect((await call('PUT', one, { name: 'Maria Souza' })).status).toBe(428);
    const changed = await call('PUT', one, { name: 'Maria Souza' }, etagOf(read));
    expect(changed).toMatchObject({ status: 200, body: { name: 'Maria Souza', cpf: shown, version: 2 } });
    expect((await call('PUT', one, { name: 'Maria Lima' }, etagOf(read))).status).toBe(412);
    expect((await call('DELETE', one, undefined, etagOf(read))).status).toBe(412);
    expect((await call('DELETE', one, undefined, etagOf(changed))).status).toBe(204);
    expect((await call('DELETE', one, undefined, { 'if-match': '"3"' })).status).toBe(404);
    const gone = await call('GET', one);
    expect(gone).toMatchObject({ status: 200, body: { is_active: false, version: 3 } });
    expect((await call('PUT', one, { name: 'Nobody' }, etagOf(gone))).status).toBe(404);
    const back = await call('POST', `${one}/restore`, undefined, etagOf(gone));
    expect(back).toMatchObject({ status: 200, body: { is_active: true, deleted_at: null, version: 4 } });
    expect(await call('POST', `${one}/restore`, undefined, etagOf(back))).toMatchObject({ status: 409, body: { code: 'client.not-restorable' } });
  });

  it('what GET shows can be sent back, and changes nothing (U-22)', async () => {
    const { body } = await created();
    const one = `${clients}/${body.id}`;
    const read = await call('GET', one);
    expect(await call('PUT', one, read.body, etagOf(read))).toMatchObject({ status: 200, body: { version: 1 } });
    const foreign = read.body.cpf.replace(/\d/, (digit: string) => String((Number(digit) + 1) % 10));
    expect(await call('PUT', one, { cpf: foreign }, etagOf(read))).toMatchObject({ status: 422, body: { errors: [{ pointer: '/cpf' }] } });
    const cpf = someCpf();
    expect(await call('PUT', one, { cpf: maskOf(cpf) }, etagOf(read))).toMatchObject({ status: 200, body: { version: 2 } });
    const [row] = await asSuperuser(app, 'select cpf from clients where id = $1', [body.id]);
    expect(row).toEqual({ cpf });
  });

  it('keeps leading zeros', async () => {
    const { body } = await created(person({ cpf: '000.000.001-91' }));
    expect(body.cpf).toBe('***.000.001-**');
    const revealed = await call('POST', `${clients}/${body.id}/reveal`, { reason: 'Tax form' });
    expect(revealed.body).toEqual({ id: body.id, cpf: '00000000191', written: '000.000.001-91' });
  });

  it('a company has a CNPJ, also one with letters (S4-30)', async () => {
    const { body } = await created({ kind: 'company', name: 'Padaria Sol Ltda', cnpj: '12.abc.345/01de-35' });
    expect(body).toMatchObject({ kind: 'company', cnpj: '12ABC34501DE35', cpf: null, birth_date: null });
    const twice = await call('POST', clients, { kind: 'company', name: 'Padaria Lua Ltda', cnpj: '12ABC34501DE35' });
    expect(twice).toMatchObject({ status: 409, body: { errors: [{ pointer: '/cnpj' }], existing: { client_id: body.id } } });
  });

  it('names its contact, once (X-10)', async () => {
    const contact = await createContact(app);
    const first = await created(person({ contact_id: contact.id }));
    expect(first.body.contact_id).toBe(contact.id);
    expect(await call('POST', clients, person({ contact_id: contact.id }))).toMatchObject({ status: 409, body: { errors: [{ pointer: '/contact_id' }] } });
    expect(await call('POST', clients, person({ contact_id: randomUUID() }))).toMatchObject({ status: 422, body: { errors: [{ pointer: '/contact_id' }] } });
  });
});

/** In the time zone of the tenant, days from now. */
const dayFromNow = (days: number) =>
  new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Sao_Paulo', dateStyle: 'short' }).format(Date.now() + days * 86_400_000);

describe('S4-10, S4-21, S4-22: what is refused, and where it says so', () => {
  it.each([
    ['/name', { name: 'M' }],
    ['/name', { name: 'M'.repeat(101) }],
    ['/name', { name: 'Maria\u202eSilva' }],
    ['/name', { name: undefined }],
    ['/cpf', { cpf: undefined }],
    ['/cpf', { cpf: null }],
    ['/cpf', { cpf: '52998224724' }],
    ['/cpf', { cpf: '11111111111' }],
    ['/cpf', { cpf: 52_998_224_725 }],
    ['/cpf', { cpf: '***.982.247-**' }],
    ['/cnpj', { cnpj: '12ABC34501DE35' }],
    ['/birth_date', { birth_date: undefined }],
    ['/birth_date', { birth_date: '1899-12-31' }],
    ['/birth_date', { birth_date: '1985-02-30' }],
    ['/birth_date', { birth_date: dayFromNow(1) }],
    ['/email', { email: 'maria' }],
    ['/phone_number', { phone_number: '11 98765-4321' }],
    ['/address/country', { address: { line1: 'Rua A', country: 'XX' } }],
    ['/address/line1', { address: {} }],
    ['/id', { id: randomUUID() }],
    ['/kind', { kind: 'robot' }],
    ['/birth_date', { kind: 'company', cpf: undefined, cnpj: '12ABC34501DE35' }],
    ['/cpf', { kind: 'company', birth_date: undefined, cnpj: '12ABC34501DE35' }],
    ['/cnpj', { kind: 'company', birth_date: undefined, cpf: undefined }],
  ])('%s of %j', async (pointer, more) => {
    const answer = await call('POST', clients, person(more));
    expect(answer).toMatchObject({ status: 422, body: { code: 'request.invalid' } });
    expect(answer.body.errors.map((issue: { pointer: string }) => issue.pointer)).toContain(pointer);
    expect(JSON.stringify(answer.body)).not.toContain('52998224724');
  });

  it.each(['1900-01-01', dayFromNow(0)])('the birth date %s is taken', async (birth_date) => {
    await created(person({ birth_date }));
  });

  it('a tenant with another identity document needs no CPF, and takes only a right one (X-20)', async () => {
    const token = other.admin.token;
    expect((await call('POST', clients, person({ cpf: undefined }), {}, token)).status).toBe(201);
    expect((await call('POST', clients, person({ cpf: '52998224724' }), {}, token)).status).toBe(422);
  });
});

describe('S4-20: a number is unique in the tenant', () => {
  it('the conflict names the other client', async () => {
    const { body } = await created(person({ cpf: '529.982.247-25' }));
    const twice = await call('POST', clients, person({ cpf: '52998224725' }));
    expect(twice).toMatchObject({
      status: 409,
      body: { errors: [{ pointer: '/cpf' }], existing: { client_id: body.id, is_deleted: false, restore: null } },
    });
    expect((await call('POST', clients, person({ cpf: '52998224725' }), {}, other.admin.token)).status).toBe(201);
  });

  it('a deleted one keeps it, and the conflict offers the restore', async () => {
    const cpf = someCpf();
    const { body, headers } = await created(person({ cpf }));
    await call('DELETE', `${clients}/${body.id}`, undefined, { 'if-match': headers.get('etag') ?? '' });
    const again = await call('POST', clients, person({ cpf }));
    expect(again).toMatchObject({ status: 409, body: { existing: { client_id: body.id, is_deleted: true } } });
    const { method, path, if_match } = again.body.existing.restore;
    expect(await call(method, path, undefined, { 'if-match': if_match })).toMatchObject({ status: 200, body: { id: body.id, is_active: true } });
  });

  it('of twenty at once one is made', async () => {
    const cpf = someCpf();
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', clients, person({ cpf }))));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
    for (const { status, body } of answers) if (status === 409) expect(body.errors[0].pointer).toBe('/cpf');
  });

  it('a change takes no number that another has', async () => {
    const cpf = someCpf();
    await created(person({ cpf }));
    const mine = await created();
    expect(await call('PUT', `${clients}/${mine.body.id}`, { cpf }, etagOf(mine))).toMatchObject({ status: 409, body: { errors: [{ pointer: '/cpf' }] } });
  });

  it('a repeated key gives the first answer', async () => {
    const [body, headers] = [person(), { 'idempotency-key': randomUUID() }];
    const first = await call('POST', clients, body, headers);
    const again = await call('POST', clients, body, headers);
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  it('the database refuses what the API would not send', async () => {
    const insert = (columns: Record<string, unknown>) => createClientRecord(app, columns);
    await expect(insert({ cpf: '52998224724' })).rejects.toThrow('clients_cpf_check');
    await expect(insert({ cnpj: '12ABC34501DE36', kind: 'company', cpf: null, birth_date: null })).rejects.toThrow('clients_cnpj_check');
    await expect(insert({ birth_date: '1899-12-31' })).rejects.toThrow('clients_birth_date_check');
    await expect(insert({ birth_date: '2999-01-01' })).rejects.toThrow('clients_birth_date_past_check');
    await expect(insert({ name: 'M' })).rejects.toThrow('clients_name_check');
    await expect(insert({ kind: 'company' })).rejects.toThrow('clients_kind_numbers_check');
    await expect(insert({ created_by: randomUUID() })).rejects.toThrow('clients_created_by_fk');
    await expect(asSuperuser(app, 'delete from users where id = $1', [manager.user_id])).rejects.toThrow(/violates/);
  });
});

describe('S4-26, S4-28: whose business it is', () => {
  it('another tenant finds nothing', async () => {
    const { body, headers } = await created();
    const one = `${clients}/${body.id}`;
    const token = other.admin.token;
    const match = { 'if-match': headers.get('etag') ?? '' };
    for (const [method, path, sent] of [
      ['GET', one, undefined],
      ['PUT', one, { name: 'Mine now' }],
      ['DELETE', one, undefined],
      ['POST', `${one}/restore`, undefined],
      ['POST', `${one}/reveal`, { reason: 'curious' }],
    ] as const) {
      expect(await call(method, path, sent, match, token)).toMatchObject({ status: 404, body: { code: 'resource.not-found' } });
    }
  });

  it('a right in the module gives just that, from the next request on, and until it is taken away', async () => {
    const agent = await app.signIn('role-senior-agent');
    const { body, headers } = await created();
    const one = `${clients}/${body.id}`;
    const match = { 'if-match': headers.get('etag') ?? '' };
    const as = (method: string, path: string, sent?: unknown) => call(method, path, sent, match, agent.token);
    expect(await as('GET', clients)).toMatchObject({ status: 403, body: { code: 'auth.forbidden', permission: 'client:read', rule: 'no-rule' } });
    const grant = async (flags: Record<string, boolean>, expires = "now() + interval '1 day'") => {
      await asSuperuser(app, 'delete from user_agent_permissions where user_id = $1', [agent.user_id]);
      await asSuperuser(
        app,
        `insert into user_agent_permissions (tenant_id, user_id, agent_name, can_create, can_read, can_update, can_delete, expires_at)
         values ($1, $2, 'client_management', $3, $4, $5, $6, ${expires})`,
        [defaultTenantId, agent.user_id, flags['create'] ?? false, flags['read'] ?? false, flags['update'] ?? false, flags['delete'] ?? false],
      );
    };
    await grant({ read: true });
    expect((await as('GET', one)).status).toBe(200);
    expect((await as('POST', `${clients}/search`, {})).status).toBe(200);
    expect(await as('PUT', one, { name: 'Maria X' })).toMatchObject({ status: 403, body: { permission: 'client:update' } });
    expect(await as('POST', clients, person())).toMatchObject({ status: 403, body: { permission: 'client:create' } });
    expect(await as('DELETE', one)).toMatchObject({ status: 403, body: { permission: 'client:delete' } });
    expect(await as('POST', `${one}/reveal`, { reason: 'curious' })).toMatchObject({ status: 403, body: { permission: 'client:reveal-cpf' } });
    await grant({ update: true });
    expect((await as('GET', one)).status).toBe(403);
    // The answer would show the record.
    expect(await as('PUT', one, { name: 'Maria X' })).toMatchObject({ status: 403, body: { permission: 'client:read' } });
    await grant({ read: true, update: true });
    expect((await as('PUT', one, { name: 'Maria X' })).status).toBe(200);
    await grant({ create: true });
    expect((await as('POST', clients, person())).status).toBe(201);
    await grant({ read: true, create: true, update: true, delete: true }, "now() - interval '1 second'");
    expect(await as('GET', one)).toMatchObject({ status: 403, body: { rule: 'agent-module-expired:client_management' } });
    const check = await call('POST', '/rbac/check-permission', { user_id: agent.user_id, permission: 'client:read' });
    expect(check.body).toEqual({ allowed: false, rule: 'agent-module-expired:client_management' });
    await grant({ read: true });
    expect((await call('POST', '/rbac/check-permission', { user_id: agent.user_id, permission: 'client:read' })).body).toEqual({
      allowed: true,
      rule: 'agent-module:client_management:read',
    });
    const catalogue = await call('GET', '/rbac/permissions', undefined, {}, agent.token);
    const held = (name: string) => catalogue.body.find(({ permission }: { permission: string }) => permission === name).held;
    expect([held('client:read'), held('client:update'), held('client:reveal-cpf')]).toEqual([true, false, false]);
  });

  it('who may not see clients learns of a number only that it is taken', async () => {
    const agent = await app.signIn('role-junior-agent');
    await grantClients(app, agent, ['create']);
    const cpf = someCpf();
    const first = await created(person({ cpf }));
    await call('DELETE', `${clients}/${first.body.id}`, undefined, etagOf(first));
    const answer = await call('POST', clients, person({ cpf }), {}, agent.token);
    expect(answer).toMatchObject({ status: 409, body: { errors: [{ pointer: '/cpf' }], detail: 'There is a client with this CPF already.' } });
    expect(answer.body.existing).toBeUndefined();
  });
});

describe('S4-23, S4-24: reads are audited, and no entry holds a number', () => {
  const entries = async (query: string) => (await call('GET', `/admin/audit-logs?limit=100&${query}`)).body.items;

  it('a detail, a reveal with its reason, and a list as one entry with its count', async () => {
    const { body } = await created(person({ name: 'Audita Pereira' }));
    const one = `${clients}/${body.id}`;
    await call('GET', one);
    await call('POST', `${one}/reveal`, { reason: 'Tax form of 2026' });
    const events = (await entries(`resource_id=${body.id}`)).map(({ event, action }: { event: string; action: string }) => [event, action]);
    expect(events).toEqual([
      ['client.reveal-cpf', 'read'],
      ['client.read', 'read'],
      ['client.create', 'create'],
    ]);
    const list = await call('GET', `${clients}?q=audita&count=true`);
    expect(list.body).toMatchObject({ total: { count: 1, is_exact: true } });
    const [entry] = await entries('event=client.list');
    const { new_values } = (await call('GET', `/admin/audit-logs/${entry.id}`)).body;
    expect(new_values).toEqual({ count: 1, filters: ['q'] });
    const [reveal] = await entries(`resource_id=${body.id}&event=client.reveal-cpf`);
    expect((await call('GET', `/admin/audit-logs/${reveal.id}`)).body.new_values).toEqual({ reason: 'Tax form of 2026' });
    const [creation] = await entries(`resource_id=${body.id}&event=client.create`);
    const shown = (await call('GET', `/admin/audit-logs/${creation.id}`)).body;
    expect(shown.new_values).toMatchObject({ cpf: '[redacted]', name: 'Audita Pereira' });
  });

  it('a reveal without a reason, or of nobody, is none', async () => {
    const { body } = await created();
    expect((await call('POST', `${clients}/${body.id}/reveal`, {})).status).toBe(422);
    expect((await call('POST', `${clients}/${body.id}/reveal`, { reason: '  ' })).status).toBe(422);
    expect((await call('POST', `${clients}/${randomUUID()}/reveal`, { reason: 'x' })).status).toBe(404);
    expect(await entries(`resource_id=${body.id}&event=client.reveal-cpf`)).toEqual([]);
    const answer = await call('POST', `${clients}/${body.id}/reveal`, { reason: 'x' });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});
