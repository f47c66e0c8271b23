import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sampleClientId, sampleClients, seedSampleClients } from '../../src/dev/sample-clients.ts';
import { samplePeople } from '../../src/dev/sample-data.ts';
import { systemRoles } from '../../src/domain/identity/system-roles.ts';
import { payloadDigest } from '../../src/platform/security/digest.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { isCnpj, isCpf } from '../support/document-numbers.ts';
import { newRealisticClient } from '../support/factories/client-record.ts';
import { createUserOfRole } from '../support/factories/identity.ts';
import { insertRows } from '../support/factories/row-insertion.ts';
import { asSuperuser, withSuperuser } from '../support/superuser.ts';

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await seedSampleClients(app.env);
});

afterAll(async () => {
  await app.close();
});

const clients = '/api/v1/clients';
const get = async (path: string, token = admin.token) => (await app.call('GET', path, { token })).body;
const find = async (body: unknown) => (await app.call('POST', `${clients}/search`, { token: admin.token, body })).body;
const personOf = (code: string) => samplePeople.find(({ role }) => role === code)?.id ?? '';

describe('S4-11: the clients of npm start', () => {
  const all = sampleClients();

  it('are the same in every run and on every machine', () => {
    expect(sampleClients()).toEqual(all);
    expect(payloadDigest(all)).toBe('1a15fc6d59059559b746ebb5eb161f4041f93abc587d9dcea3e527880fdf0f40');
  });

  it('have right and different numbers, and birth dates of people who live', () => {
    const persons = all.filter(({ kind }) => kind === 'person');
    const companies = all.filter(({ kind }) => kind === 'company');
    expect([persons.length, companies.length]).toEqual([285, 15]);
    expect(persons.filter(({ cpf }) => !isCpf(cpf ?? ''))).toEqual([]);
    expect(companies.filter(({ cnpj }) => !isCnpj(cnpj ?? ''))).toEqual([]);
    expect(new Set(all.map(({ cpf, cnpj }) => cpf ?? cnpj)).size).toBe(300);
    expect(companies.filter(({ cnpj }) => /[A-Z]/.test(cnpj ?? '')).length).toBeGreaterThan(2);
    const years = persons.map(({ birth_date }) => 2026 - Number(birth_date?.slice(0, 4)));
    expect([Math.min(...years) >= 3, Math.max(...years) <= 94]).toEqual([true, true]);
    expect(years.filter((age) => age < 18).length).toBeGreaterThan(2);
  });

  it('are nobody who could be reached', () => {
    const reserved = /@(example\.(com|net|org)|[a-z.]+\.(test|example|invalid))$/;
    expect(all.filter(({ email }) => email !== null && !reserved.test(email))).toEqual([]);
    expect(all.filter(({ phone_number }) => phone_number !== null && !/^\+55209\d{8}$/.test(phone_number))).toEqual([]);
  });

  it('are there at the first look, made by several people over a year, ten of them deleted', async () => {
    expect((await get(`${clients}?count=true`)).total).toEqual({ count: 290, is_exact: true });
    expect((await get(`${clients}?state=deleted&count=true`)).total).toEqual({ count: 10, is_exact: true });
    expect((await get(`${clients}?kind=company&count=true`)).total.count).toBe(15);
    const [span] = await asSuperuser(
      app,
      `select count(distinct created_by)::int as people, min(created_at) > now() - interval '1 year' as of_a_year,
         max(created_at) < now() and max(updated_at) < now() as past, count(distinct birth_date)::int > 200 as various from clients`,
    );
    expect(span).toEqual({ people: 6, of_a_year: true, past: true, various: true });
  });

  it('hold pairs that look alike', async () => {
    const idsOf = async (body: unknown) => (await find(body)).items.map(({ id }: { id: string }) => id).toSorted();
    expect(await idsOf({ phone_number: '+5520987650011' })).toEqual([11, 141].map(sampleClientId));
    expect(await idsOf({ email: 'familia.exemplo@example.com' })).toEqual([12, 182].map(sampleClientId));
    expect(await idsOf({ q: 'antonio carlos guimaraes', birth_date: '1971-09-02' })).toEqual([13, 223].map(sampleClientId));
    expect(await idsOf({ q: 'jose conceicao leao', birth_date: '1958-02-27' })).toEqual([14, 264].map(sampleClientId));
  });

  it('can be sent back as they are shown (U-22)', async () => {
    const id = sampleClientId(1);
    const answer = await app.call('PUT', `${clients}/${id}`, {
      token: admin.token,
      body: await get(`${clients}/${id}`),
      headers: { 'if-match': '"1"' },
    });
    expect(answer).toMatchObject({ status: 200, body: { version: 1 } });
  });
});

describe('S4-12: scenarios of module permissions', () => {
  it.each([
    ['role-senior-agent', [true, true, true, true]],
    ['role-junior-agent', [false, true, false, false]],
    ['role-support-staff', [false, true, false, false]],
  ] as const)('%s', async (role, held) => {
    const { token } = await app.signIn(role);
    const catalogue: { permission: string; held: boolean }[] = await get('/rbac/permissions', token);
    const flags = ['create', 'read', 'update', 'delete'].map((verb) => catalogue.find(({ permission }) => permission === `client:${verb}`)?.held);
    expect(flags).toEqual(held);
  });

  it('one of them ends in two days', async () => {
    const ends = await asSuperuser(
      app,
      "select user_id, round(extract(epoch from expires_at - now()) / 86400)::int as days from user_agent_permissions where expires_at is not null",
    );
    expect(ends).toEqual([{ user_id: personOf('role-junior-agent'), days: 2 }]);
  });
});

describe('a second start', () => {
  it('leaves everything as people left it', async () => {
    const state = () =>
      asSuperuser(app, "select 'client' as what, id, xmin::text from clients union all select 'grant', id, xmin::text from user_agent_permissions order by 1, 2");
    await asSuperuser(app, "delete from user_agent_permissions where user_id = $1", [personOf('role-support-staff')]);
    await asSuperuser(app, "update clients set name = 'Somebody Else', cpf = null where id = $1", [sampleClientId(2)]);
    await asSuperuser(app, "update tenants set id_document_type = 'none' where id_document_type = 'cpf'");
    const before = await state();
    await seedSampleClients(app.env);
    expect(await state()).toEqual(before);
    expect(await asSuperuser(app, "select from tenants where id_document_type = 'cpf'")).toEqual([]);
  });

  it('is refused in production', async () => {
    await expect(seedSampleClients({ ...app.env, NODE_ENV: 'production' })).rejects.toThrow('production');
  });
});

describe('S4-11: factories', () => {
  it('make realistic clients', async () => {
    const rows = await insertRows(app, 'clients', [
      ...Array.from({ length: 50 }, () => newRealisticClient()),
      ...Array.from({ length: 10 }, () => newRealisticClient({}, 'company')),
    ]);
    expect(rows.filter(({ cpf, cnpj }) => isCpf(cpf ?? '') || isCnpj(cnpj ?? ''))).toHaveLength(60);
    expect(new Set(rows.map(({ name }) => name)).size).toBeGreaterThan(30);
  });

  it('make people of every role, who have what the role gives', async () => {
    await withSuperuser(app, async (db) => {
      for (const { code, coarse_role } of systemRoles) {
        const { id, role, full_name } = await createUserOfRole(db, code);
        expect([role, full_name]).toEqual([coarse_role, expect.stringMatching(/^\S+ .+/)]);
        const { body } = await app.call('GET', `/admin/users/${id}`, { token: admin.token });
        expect(body).toMatchObject({ id, role: coarse_role });
      }
    });
  });
});
