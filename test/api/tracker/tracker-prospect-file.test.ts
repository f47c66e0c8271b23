import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../../support/api.ts';

const base = '/api/v1/master-admin';

let app: TestApi;
let me: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  me = await app.signIn('role-super-admin');
});

afterAll(() => app.close());

const send = (text: string, query = '', type = 'text/csv'): Promise<Answer> =>
  app.call('POST', `${base}/prospects/import${query}`, { token: me.token, body: text, headers: { 'content-type': type } });
const count = async (): Promise<number> =>
  (await app.call('GET', `${base}/prospects?limit=100`, { token: me.token })).body.items.length;
const pointers = ({ body }: Answer): string[] => body.errors.map(({ pointer }: { pointer: string }) => pointer);

describe('import of prospects', () => {
  it('imports all rows of a valid file, with columns in any order, BOM and quotes', async () => {
    const file = '\uFEFFEmail,Name,value_minor,currency\r\nA@x.test,"Ada, Inc.",1500,INR\r\n,Bob,,\r\n';
    const answer = await send(file, '', 'Text/CSV; charset=UTF-8');
    expect(answer).toMatchObject({ status: 200, body: { imported: 2, skipped: 0 } });
    const { body } = await app.call('GET', `${base}/prospects?q=a@x.test`, { token: me.token });
    expect(body.items).toMatchObject([{ name: 'Ada, Inc.', stage_name: 'New', probability: 10, weighted_value_minor: 150 }]);
  });

  it('lists every fault by row and imports nothing', async () => {
    const before = await count();
    const file = [
      'name,email,stage,value_minor',
      'Good,good@x.test,,',
      ',no-name@x.test,,',
      'Bad,nobody,,-1',
      'Twin,good@x.test,,',
      'Known,A@X.test,,',
      'Lost,lost@x.test,Nowhere,',
      'Poor,,Qualified,',
      'Unpriced,unpriced@x.test,,5',
      'Short,short@x.test',
    ].join('\n');
    const answer = await send(file);
    expect(answer).toMatchObject({ status: 422, body: { code: 'prospect.import-refused', fault_count: 9 } });
    expect(pointers(answer).sort()).toEqual([
      '/rows/10',
      '/rows/3/name',
      '/rows/4/email',
      '/rows/4/value_minor',
      '/rows/5/email',
      '/rows/6/email',
      '/rows/7/stage',
      '/rows/8/email',
      '/rows/9/currency',
    ]);
    expect(await count()).toBe(before);
  });

  it('leaves out known e-mail addresses on request', async () => {
    const answer = await send('name,email\nAda again,a@x.test\nNew,new@x.test\nNew twice,NEW@x.test\n', '?on_duplicate=skip');
    expect(answer.body).toEqual({ imported: 1, skipped: 2 });
  });

  it('refuses what is no CSV file with these columns', async () => {
    for (const file of ['', 'email\na@b.test', 'name,name\na,b', 'name,password\na,b', 'name\n"open']) {
      expect((await send(file)).status).toBe(422);
    }
    expect((await send('{}', '', 'application/json')).status).toBe(415);
    expect((await send('name\nX', '', 'text/plain')).status).toBe(415);
    expect((await send('name\nX', '?pipeline_id=999999')).status).toBe(404);
    const json = await app.call('POST', `${base}/goals`, { token: me.token, body: 'a', headers: { 'content-type': 'text/csv' } });
    expect(json.status).toBe(415);
  });

  it('a fault in a late batch rolls all batches back', async () => {
    const before = await count();
    const rows = Array.from({ length: 6_000 }, (_, place) => `P${place},p${place}@bulk.test`);
    const answer = await send(['name,email', ...rows, 'P,p0@bulk.test'].join('\n'));
    expect(pointers(answer)).toEqual(['/rows/6002/email']);
    expect(await count()).toBe(before);
    expect((await send(['name,email', ...rows].join('\n'))).body).toEqual({ imported: 6_000, skipped: 0 });
  });

  it('S0-61, U-8: only for staff', async () => {
    const customer = await app.signIn('role-policyholder');
    const headers = { 'content-type': 'text/csv' };
    expect((await app.call('POST', `${base}/prospects/import`, { token: customer.token, body: 'name\nX', headers })).status).toBe(403);
    expect((await app.call('GET', `${base}/prospects/export`)).status).toBe(401);
  });
});

describe('export of prospects', () => {
  it('streams all prospects; formulas are guarded, and the file can be imported again', async () => {
    const second = await app.signIn('role-super-admin', 1);
    const body = { name: '=HYPERLINK("x")', phone: '+91 98765', company: 'Two\nlines' };
    await app.call('POST', `${base}/prospects`, { token: second.token, body });
    const answer = await app.call('GET', `${base}/prospects/export`, { token: second.token });
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(answer.body).toContain(`"'=HYPERLINK(""x"")"`);
    expect(answer.body).toContain(",'+91 98765,");
    const again = await app.call('POST', `${base}/prospects/import`, {
      token: second.token,
      body: answer.body,
      headers: { 'content-type': 'text/csv' },
    });
    expect(again.body).toEqual({ imported: 1, skipped: 0 });
    const list = await app.call('GET', `${base}/prospects`, { token: second.token });
    expect(list.body.items.map(({ name, company }: { name: string; company: string }) => [name, company])).toEqual([
      [body.name, body.company],
      [body.name, body.company],
    ]);
    const all = await app.call('GET', `${base}/prospects/export`, { token: me.token });
    expect(all.body.trim().split('\n').length).toBeGreaterThan(6_000);
  });
});
