import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { clientDriver, clients, grantClients, keepCpf, merges } from '../../support/drivers/client-record.ts';
import { someCpf } from '../../support/factories/client-record.ts';
import { secondTenant } from '../../support/people.ts';
import type { OtherTenant } from '../../support/people.ts';
import { rowsRead } from '../../support/rows-read.ts';
import { asSuperuser } from '../../support/superuser.ts';

let app: TestApi;
let manager: SignedIn;
let other: OtherTenant;
let drive: ReturnType<typeof clientDriver>;

beforeAll(async () => {
  app = await startTestApi();
  await keepCpf(app);
  manager = await app.signIn('role-super-admin');
  other = await secondTenant(app);
  drive = clientDriver(app, manager);
});

afterAll(() => app.close());

const search = (body: unknown, token?: string) => drive.call('POST', `${clients}/duplicates`, body, {}, token);
const groups = (query: string, token?: string) => drive.call('GET', `${clients}/duplicates?${query}`, undefined, {}, token);
const marksOf = (answer: { body: { matches: { client: { id: string }; matched_by: string[] }[] } }) =>
  answer.body.matches.map(({ client, matched_by }) => [client.id, matched_by]);

describe('X-10: which client somebody is already', () => {
  it('by number, e-mail, phone, and name with birth date; the strongest first, deleted ones flagged', async () => {
    const cpf = someCpf();
    const [email, phone_number] = ['joana@people.example', '+5511900000001'];
    const same = await drive.created({ name: 'Joana Peres', cpf, birth_date: '1970-01-02' });
    const both = await drive.created({ name: 'J. Peres', email, phone_number });
    const phone = await drive.created({ name: 'Pedro Peres', phone_number });
    const named = await drive.created({ name: 'JOÁNA  PÉREZ', birth_date: '1971-05-06' });
    await drive.call('DELETE', `${clients}/${phone.id}`, undefined, { 'if-match': '"1"' });
    const found = await search({ cpf, email: 'JOANA@people.example', phone_number, name: 'Joana Perez', birth_date: '1971-05-06' });
    expect(found.status).toBe(200);
    expect(marksOf(found)).toEqual([
      [same.id, ['cpf']],
      [both.id, ['email', 'phone_number']],
      [phone.id, ['phone_number']],
      [named.id, ['name_and_birth_date']],
    ]);
    expect(found.body.has_more).toBe(false);
    expect(found.body.matches[0].client.cpf).toMatch(/^\*{3}\.\d{3}\.\d{3}-\*{2}$/);
    expect(found.body.matches[2].client).toMatchObject({ is_active: false });
    expect(JSON.stringify(found.body)).not.toContain(cpf);
    expect(marksOf(await drive.call('GET', `${clients}/${both.id}/duplicates`))).toEqual([[phone.id, ['phone_number']]]);
  });

  it('a company by its CNPJ, and nothing by one that nobody has', async () => {
    const cnpj = '12ABC34501DE35';
    const { body } = await drive.call('POST', clients, { kind: 'company', name: 'Padaria Sol Ltda', cnpj });
    expect(marksOf(await search({ cnpj }))).toEqual([[body.id, ['cnpj']]]);
    expect((await search({ email: 'nobody@people.example' })).body).toEqual({ matches: [], has_more: false });
    expect((await search({ name: 'Padaria Sol Ltda', birth_date: '1999-01-01' })).body.matches).toEqual([]);
  });

  it('what is merged into a client is no duplicate of it any more', async () => {
    const [one, two] = [await drive.created({ email: 'merged@people.example' }), await drive.created({ email: 'merged@people.example' })];
    expect((await drive.call('GET', `${clients}/${one.id}/duplicates`)).body.matches).toHaveLength(1);
    await drive.merge(one.id, two.id);
    expect((await drive.call('GET', `${clients}/${one.id}/duplicates`)).body.matches).toEqual([]);
    expect(marksOf(await search({ email: 'merged@people.example' }))).toEqual([
      [one.id, ['email']],
      [two.id, ['email']],
    ]);
  });

  it('more than fifty are not shown', async () => {
    await asSuperuser(
      app,
      `insert into clients (tenant_id, name, birth_date, phone_number) select $1, 'Client ' || n, '1980-01-01', '+5511900000099' from generate_series(1, 60) n`,
      [defaultTenantId],
    );
    const { body } = await search({ phone_number: '+5511900000099' });
    expect([body.matches.length, body.has_more]).toEqual([50, true]);
  });

  it.each([
    ['', {}],
    ['', { name: 'Joana Peres' }],
    ['', { birth_date: '1970-01-02' }],
    ['/cpf', { cpf: '52998224724' }],
    ['/cpf', { cpf: 52_998_224_725 }],
    ['/phone_number', { phone_number: '11 98765-4321' }],
    ['/email', { email: 'joana' }],
    ['/id', { email: 'joana@people.example', id: randomUUID() }],
  ])('422 at "%s" for %j', async (pointer, body) => {
    expect(await search(body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  it('is one audit entry with the count and the names of what was looked for', async () => {
    await search({ email: 'joana@people.example', cpf: someCpf() });
    const [entry] = (await drive.call('GET', '/admin/audit-logs?event=client.list&limit=1')).body.items;
    const { new_values } = (await drive.call('GET', `/admin/audit-logs/${entry.id}`)).body;
    expect(new_values).toEqual({ count: 1, filters: ['cpf', 'duplicates', 'email'] });
  });
});

describe('X-10: all clients that have something in common', () => {
  it('group by group, with the oldest ten and the count; the cursor holds no value', async () => {
    const numbers = ['+5521900000001', '+5521900000002', '+5521900000003'];
    const ids: string[] = [];
    for (const phone_number of numbers) {
      for (const email of ['a', 'b']) ids.push((await drive.created({ phone_number, email: `${email}${phone_number.slice(1)}@people.example` })).id);
    }
    const seen: { shared: unknown; count: number; clients: { id: string }[] }[] = [];
    let cursor: string | null = null;
    do {
      const page = await groups(`by=phone_number&limit=1${cursor === null ? '' : `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items);
      cursor = page.body.next_cursor;
      for (const number of numbers) expect(Buffer.from(cursor ?? '', 'base64url').toString()).not.toContain(number.slice(1));
    } while (cursor !== null);
    const mine = seen.filter(({ shared }) => numbers.includes((shared as { phone_number: string }).phone_number));
    expect(mine.map(({ shared, count }) => [shared, count])).toEqual(numbers.map((phone_number) => [{ phone_number }, 2]));
    expect(mine.flatMap((group) => group.clients.map(({ id }) => id))).toEqual(ids);
    const many = seen.find(({ count }) => count === 60);
    expect(many?.clients).toHaveLength(10);
  });

  it('by e-mail, and by name with birth date; a client that was deleted is in no group', async () => {
    const [one, two] = [
      await drive.created({ name: 'Ana Águas', birth_date: '1990-09-09', email: 'aguas@people.example' }),
      await drive.created({ name: 'ANA AGUAS', birth_date: '1990-09-09', email: 'aguas@people.example' }),
    ];
    const named = (await groups('by=name_and_birth_date&limit=100')).body.items;
    const group = named.find(({ shared }: { shared: { birth_date: string } }) => shared.birth_date === '1990-09-09');
    expect(group).toMatchObject({ shared: { name: 'Ana Águas' }, count: 2, clients: [{ id: one.id }, { id: two.id }] });
    const ofMail = async () =>
      (await groups('by=email&limit=100')).body.items.filter(({ shared }: { shared: { email: string } }) => shared.email === 'aguas@people.example');
    expect(await ofMail()).toHaveLength(1);
    await drive.call('DELETE', `${clients}/${two.id}`, undefined, { 'if-match': '"1"' });
    expect(await ofMail()).toEqual([]);
  });

  it('names pages by name and birth date, too', async () => {
    for (const birth_date of ['1991-01-01', '1991-01-02']) {
      for (const name of ['Same Name', 'Same Name']) await drive.created({ name, birth_date });
    }
    const all = (await groups('by=name_and_birth_date&limit=100')).body.items;
    const walked = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body }: { body: { items: unknown[]; next_cursor: string | null } } = await groups(`by=name_and_birth_date&limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      walked.push(...body.items);
      cursor = body.next_cursor;
    }
    expect(walked).toEqual(all);
  });

  it('a cursor ends when the client that it names has got another value', async () => {
    const first = (await groups('by=phone_number&limit=1')).body;
    const [{ clients: members }] = first.items;
    await asSuperuser(app, "update clients set phone_number = '+5531900000001' where id = $1", [members[0].id]);
    const next = await groups(`by=phone_number&limit=1&cursor=${first.next_cursor}`);
    expect(next).toMatchObject({ status: 400, body: { code: 'request.cursor-invalid' } });
    expect((await groups('by=phone_number&cursor=xx')).status).toBe(400);
    expect((await groups('by=cpf')).status).toBe(422);
    expect((await groups('')).status).toBe(422);
  });
});

describe('whose business it is', () => {
  it('nobody without client:read, and each tenant its own', async () => {
    const agent = await app.signIn('role-senior-agent');
    const mine = await drive.created({ email: 'tenant@people.example' });
    await drive.created({ email: 'tenant@people.example' });
    for (const [method, path, body] of [
      ['POST', `${clients}/duplicates`, { email: 'tenant@people.example' }],
      ['GET', `${clients}/duplicates?by=email`, undefined],
      ['GET', `${clients}/${mine.id}/duplicates`, undefined],
    ] as const) {
      expect((await app.call(method, path, body === undefined ? {} : { body })).status).toBe(401);
      await asSuperuser(app, 'delete from user_agent_permissions where user_id = $1', [agent.user_id]);
      expect((await drive.call(method, path, body, {}, agent.token)).status).toBe(403);
      await grantClients(app, agent, ['read']);
      expect((await drive.call(method, path, body, {}, agent.token)).status).toBe(200);
    }
    expect((await search({ email: 'tenant@people.example' }, other.admin.token)).body.matches).toEqual([]);
    expect((await groups('by=email', other.admin.token)).body.items).toEqual([]);
    expect((await drive.call('GET', `${clients}/${mine.id}/duplicates`, undefined, {}, other.admin.token)).status).toBe(404);
    expect((await drive.call('GET', merges, undefined, {}, other.admin.token)).body.items).toEqual([]);
  });
});

describe('plans', () => {
  it('at fifty thousand clients, a search and a page of groups read what they show', async () => {
    await withClient(app.database.adminUrl, async (db) => {
      await db.query(
        `insert into clients (tenant_id, name, birth_date, email, phone_number)
         select $1, 'Plan ' || n, date '1950-01-01' + n % 20000, 'plan' || n || '@people.example', '+551190' || lpad(n::text, 8, '0') from generate_series(1, 50000) n`,
        [defaultTenantId],
      );
      await db.query(
        `insert into clients (tenant_id, name, birth_date, phone_number) select $1, 'First ' || n, '1980-01-01', '+100000000' || n % 3 from generate_series(1, 6) n`,
        [defaultTenantId],
      );
      await db.query('analyze clients');
    });
    const probe = { email: 'plan77@people.example', phone_number: '+55119000000078', name: 'Plan 79', birth_date: '1950-03-21' };
    expect((await search(probe)).body.matches).toHaveLength(3);
    // Twice each: once by its mark, once with its fields.
    expect(await rowsRead(app, ['clients'], () => search(probe))).toBeLessThan(20);
    expect(await rowsRead(app, ['clients'], () => groups('by=phone_number&limit=1'))).toBeLessThan(500);
  });
});
