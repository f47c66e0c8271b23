import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';
import { cpfOf, maskOf } from '../../support/document-numbers.ts';
import { grantClients, keepCpf } from '../../support/drivers/client-record.ts';
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

const path = '/api/v1/clients/import';

function send(lines: readonly string[], query = '', token: string = manager.token, type = 'text/csv'): Promise<Answer> {
  return app.call('POST', `${path}${query}`, { token, body: lines.join('\n'), headers: { 'content-type': type } });
}

const preview = (lines: readonly string[], query = '', token?: string) => send(lines, `?mode=preview${query}`, token);
const row = (cpf: string, name = 'Maria da Silva') => `${name},${cpf},1985-03-02`;
const header = 'name,cpf,birth_date';

async function clientsOfTenant(): Promise<number> {
  const [found] = await asSuperuser(app, 'select count(*)::int as count from clients where tenant_id = $1', [defaultTenantId]);
  return found!['count'] as number;
}

async function granted(role: 'role-junior-agent' | 'role-senior-agent', action: 'create' | 'read'): Promise<SignedIn> {
  const agent = await app.signIn(role);
  await grantClients(app, agent, [action]);
  return agent;
}

describe('import of clients', () => {
  it('is not slowed down by plans that were made while there were few clients', async () => {
    await asSuperuser(app, "insert into clients (tenant_id, kind, name) select $1, 'company', 'Some Company' from generate_series(1, 20)", [other.tenant_id]);
    await asSuperuser(app, 'analyze clients');
    // A connection plans the checks of foreign keys for good at their sixth use.
    for (let place = 0; place < 8; place += 1) expect(await send([header, row(someCpf())], '', other.admin.token)).toMatchObject({ status: 200 });
    const lines = Array.from({ length: 20_000 }, (_, place) => row(cpfOf(String(800_000_000 + place))));
    expect(await send([header, ...lines], '', other.admin.token)).toMatchObject({ status: 200, body: { created: 20_000 } });
  });

  it('takes persons and companies, columns in any order, plain and written numbers, BOM and quotes', async () => {
    const [first, second] = [someCpf(), someCpf()];
    const answer = await send([
      '\uFEFFCPF,kind,Name,birth_date,cnpj,email,phone_number,address_line1,address_line2,address_city,address_region,address_postal_code,address_country',
      `${first},,"Souza, Ana",1985-03-02,,Ana@People.Example,'+5511987654321,"Rua A, 1",ap 2,São Paulo,SP,01000-000,BR`,
      `${maskOf(second)},person,Bruno Reis,2000-02-29,,,,,,,,,`,
      ',company,Padaria Sol Ltda,,12.abc.345/01de-35,,,,,,,,',
    ]);
    expect(answer).toMatchObject({ status: 200, body: { import_id: expect.any(String), created: 3, skipped: 0 } });
    const list = await app.call('GET', '/api/v1/clients?sort=name', { token: manager.token });
    expect(list.body.items).toMatchObject([
      { name: 'Bruno Reis', cpf: `***.${second.slice(3, 6)}.${second.slice(6, 9)}-**`, address: null, created_by: manager.user_id },
      { kind: 'company', name: 'Padaria Sol Ltda', cnpj: '12ABC34501DE35', birth_date: null },
      {
        kind: 'person',
        name: 'Souza, Ana',
        email: 'ana@people.example',
        phone_number: '+5511987654321',
        address: { line1: 'Rua A, 1', line2: 'ap 2', city: 'São Paulo', region: 'SP', postal_code: '01000-000', country: 'BR' },
      },
    ]);
    const found = await app.call('GET', '/api/v1/clients?q=padaria', { token: manager.token });
    expect(found.body.items).toHaveLength(1);
  });

  it('is one audit entry with its counts (S4-23)', async () => {
    const { body } = await send([header, row(someCpf()), row(someCpf())]);
    const log = await app.call('GET', `/admin/audit-logs?resource_id=${body.import_id}`, { token: manager.token });
    expect(log.body.items).toMatchObject([{ event: 'client.import', action: 'create', resource_type: 'client_import' }]);
    const entry = await app.call('GET', `/admin/audit-logs/${log.body.items[0].id}`, { token: manager.token });
    expect(entry.body.new_values).toEqual({ created: 2, skipped: 0 });
    const rows = await asSuperuser(app, 'select count(*)::int as count from clients where import_id = $1', [body.import_id]);
    expect(rows).toEqual([{ count: 2 }]);
  });

  it('lists every fault by row, repeats no cell and imports nothing', async () => {
    const [known, deleted, twice] = [await createClientRecord(app), await createClientRecord(app, { deleted_at: new Date().toISOString() }), someCpf()];
    const before = await clientsOfTenant();
    const lines = [
      'kind,name,cpf,cnpj,birth_date,email,phone_number,address_line1,address_city,address_country',
      `,Good One,${twice},,1985-03-02,,,,,`,
      `,M,${someCpf()},,1985-03-02,,,,,`,
      ',Bad Check,52998224724,,1985-03-02,,,,,',
      ',Masked,***.982.247-**,,1985-03-02,,,,,',
      `,Future,${someCpf()},,2999-01-01,,,,,`,
      `,Nobody,${someCpf()},,1985-03-02,nobody-at-all,11 98765,,Recife,XX`,
      ',No Number,,,1985-03-02,,,,,',
      `,Twin,${twice},,1985-03-02,,,,,`,
      `,Known,${known.cpf},,1985-03-02,,,,,`,
      `,Deleted,${maskOf(deleted.cpf!)},,1985-03-02,,,,,`,
      `company,Both Ltda,${someCpf()},,1985-03-02,,,,,`,
      `robot,Robot,${someCpf()},,1985-03-02,,,,,`,
      'Short,row',
    ];
    const answer = await send(lines);
    expect(answer).toMatchObject({ status: 422, body: { code: 'import.refused' } });
    const said = Object.fromEntries(answer.body.errors.map(({ pointer, detail }: { pointer: string; detail: string }) => [pointer, detail]));
    expect(Object.keys(said).sort()).toEqual([
      '/rows/10/cpf',
      '/rows/11/cpf',
      '/rows/12/birth_date',
      '/rows/12/cnpj',
      '/rows/12/cpf',
      '/rows/13/kind',
      '/rows/14',
      '/rows/3/name',
      '/rows/4/cpf',
      '/rows/5/cpf',
      '/rows/6/birth_date',
      '/rows/7/address_country',
      '/rows/7/email',
      '/rows/7/phone_number',
      '/rows/8/cpf',
      '/rows/9/cpf',
    ]);
    expect(said['/rows/5/cpf']).toBe('is masked; an import needs all eleven digits');
    expect(said['/rows/9/cpf']).toBe('stands in an earlier row of the file');
    expect(said['/rows/10/cpf']).toBe('belongs to another client');
    expect(said['/rows/11/cpf']).toBe('belongs to a deleted client');
    const text = JSON.stringify(answer.body);
    for (const cell of [twice, known.cpf!, deleted.cpf!, maskOf(deleted.cpf!), '52998224724', 'nobody-at-all', '98765', '2999']) {
      expect(text).not.toContain(cell);
    }
    expect(await clientsOfTenant()).toBe(before);
    // The preview finds the same, with the same words.
    const shown = await preview(lines);
    expect(shown).toMatchObject({ status: 200, body: { rows: 13, valid: 1, would_create: 0, would_skip: 0, fault_count: answer.body.fault_count } });
    const inOrder = (issues: { pointer: string }[]) => issues.toSorted((one, two) => one.pointer.localeCompare(two.pointer));
    expect(inOrder(shown.body.errors)).toEqual(inOrder(answer.body.errors));
  });

  it('an address needs its first line', async () => {
    const answer = await send([`${header},address_city`, `${row(someCpf())},Recife`]);
    expect(answer.body.errors).toEqual([{ pointer: '/rows/2/address_line1', detail: expect.stringContaining('missing') }]);
  });

  it('the last birth date is today of the tenant', async () => {
    const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Sao_Paulo', dateStyle: 'short' }).format(Date.now());
    expect(await send([header, `New Born,${someCpf()},${today}`])).toMatchObject({ status: 200 });
  });

  it('leaves out known numbers on request, those of deleted clients among them', async () => {
    const deleted = await createClientRecord(app, { deleted_at: new Date().toISOString() });
    const [known, fresh] = [await createClientRecord(app), someCpf()];
    const lines = [header, row(known.cpf!), row(fresh), row(deleted.cpf!), row(maskOf(fresh))];
    const shown = await preview(lines, '&on_duplicate=skip');
    expect(shown.body).toMatchObject({ rows: 4, valid: 4, would_create: 1, would_skip: 3, fault_count: 0, errors: [] });
    expect(await send(lines, '?on_duplicate=skip')).toMatchObject({ status: 200, body: { created: 1, skipped: 3 } });
    expect(await send(lines, '?on_duplicate=skip')).toMatchObject({ status: 200, body: { created: 0, skipped: 4 } });
  });

  it('of the same file twice at once one import is made', async () => {
    const lines = [header, ...Array.from({ length: 300 }, () => row(someCpf()))];
    const answers = await Promise.all([send(lines), send(lines), send(lines.toReversed().slice(0, -1).toSpliced(0, 0, header))]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422, 422]);
    for (const { status, body } of answers) if (status === 422) expect(body).toMatchObject({ code: 'import.refused', fault_count: 300 });
  });

  it('a number of another tenant is no duplicate, and its rules are its own', async () => {
    const { cpf } = await createClientRecord(app);
    expect(await send([header, row(cpf!), 'No Number,,1985-03-02', 'No Number,,1985-03-02'], '', other.admin.token)).toMatchObject({
      status: 200,
      body: { created: 3 },
    });
  });

  it('refuses what is no CSV with these columns, and other media types', async () => {
    for (const lines of [[''], ['cpf', someCpf()], ['name,name', 'a,b'], ['name,password', 'a,b'], ['name', '"open']]) {
      expect(await send(lines)).toMatchObject({ status: 422, body: { code: 'import.refused' } });
      expect(await preview(lines)).toMatchObject({ status: 200, body: { would_create: 0, fault_count: 1 } });
    }
    expect((await send(['{}'], '', manager.token, 'application/json')).status).toBe(415);
    expect((await send([header], '?mode=try')).status).toBe(422);
    expect((await send([header], '?on_duplicate=replace')).status).toBe(422);
    const key = { 'content-type': 'text/csv', 'idempotency-key': 'one' };
    expect(await app.call('POST', path, { token: manager.token, body: header, headers: key })).toMatchObject({
      status: 400,
      body: { code: 'idempotency.not-offered' },
    });
  });

  it('a file of 20,000 rows, whose last one is a duplicate, is undone in all batches', async () => {
    const before = await clientsOfTenant();
    const lines = [header];
    for (let place = 1; place <= 20_000; place += 1) lines.push(row(cpfOf(String(700_000_000 + place)), `Person ${place}`));
    const answer = await send([...lines, lines[1]!]);
    expect(answer.body).toMatchObject({ fault_count: 1, errors: [{ pointer: '/rows/20002/cpf' }] });
    expect(await clientsOfTenant()).toBe(before);
    expect((await preview(lines)).body).toMatchObject({ rows: 20_000, would_create: 20_000 });
    expect(await clientsOfTenant()).toBe(before);
    expect((await send(lines)).body).toMatchObject({ created: 20_000, skipped: 0 });
    const again = await preview(lines);
    expect(again.body).toMatchObject({ valid: 0, fault_count: 20_000 });
    expect(again.body.errors).toHaveLength(100);
  });
});

describe('preview of an import', () => {
  it('writes no client, shows five rows with masked CPF, and is audited', async () => {
    const before = await clientsOfTenant();
    const cpfs = Array.from({ length: 7 }, someCpf);
    const { body } = await preview([header, ...cpfs.map((cpf) => row(cpf))]);
    expect(body).toMatchObject({ rows: 7, valid: 7, would_create: 7, would_skip: 0, fault_count: 0, errors: [] });
    expect(body.sample.map(({ row: number, cpf }: { row: number; cpf: string }) => [number, cpf])).toEqual(
      cpfs.slice(0, 5).map((cpf, place) => [place + 2, `***.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-**`]),
    );
    for (const cpf of cpfs) expect(JSON.stringify(body)).not.toContain(cpf);
    expect(await clientsOfTenant()).toBe(before);
    const log = await app.call('GET', '/admin/audit-logs?event=client.import-preview&limit=1', { token: manager.token });
    const entry = await app.call('GET', `/admin/audit-logs/${log.body.items[0].id}`, { token: manager.token });
    expect(entry.body.new_values).toEqual({ rows: 7, valid: 7, fault_count: 0, would_create: 7, would_skip: 0 });
  });
});

describe('S4-26: whose business an import is', () => {
  it('needs client:create, by a role or by the module', async () => {
    const customer = await app.signIn('role-policyholder');
    expect((await app.call('POST', path, { body: header, headers: { 'content-type': 'text/csv' } })).status).toBe(401);
    expect(await send([header], '', customer.token)).toMatchObject({ status: 403, body: { permission: 'client:create' } });
    const reader = await granted('role-senior-agent', 'read');
    expect((await send([header, row(someCpf())], '', reader.token)).status).toBe(403);
  });

  it('who may not see clients does not learn that a number is a deleted one’s', async () => {
    const agent = await granted('role-junior-agent', 'create');
    const deleted = await createClientRecord(app, { deleted_at: new Date().toISOString() });
    const expected = [{ pointer: '/rows/2/cpf', detail: 'belongs to another client' }];
    expect((await send([header, row(deleted.cpf!)], '', agent.token)).body.errors).toEqual(expected);
    expect((await preview([header, row(deleted.cpf!)], '', agent.token)).body.errors).toEqual(expected);
    expect((await send([header, row(someCpf())], '', agent.token)).body).toMatchObject({ created: 1 });
  });
});
