import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { busyClient, few, fillClients, fillDataRequests, fillExports, fillMerges, prepareFill } from './million-clients.ts';
import { heapRowsRead, rowsRead } from '../support/rows-read.ts';

/** What a page may read of a million clients with three and a half million words, or of a million of anything that is kept of them. */
const fewRows = 10_000;
const repetitions = 10;
const tables = ['clients', 'client_name_words'] as const;
const clients = '/api/v1/clients';

let app: TestApi;
let manager: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  manager = await app.signIn('role-super-admin');
  await withClient(app.database.adminUrl, async (db) => {
    await prepareFill(db);
    await fillClients(db);
    await fillDataRequests(db);
    await fillMerges(db);
    await fillExports(db, manager.user_id);
  });
});

afterAll(() => app.close());

async function page(query: string): Promise<Answer> {
  return app.call('GET', `${clients}?limit=20${query}`, { token: manager.token });
}

async function search(body: Record<string, unknown>): Promise<Answer> {
  return app.call('POST', `${clients}/search`, { token: manager.token, body });
}

describe('S4-8: client records, a million of them', () => {
  it.each([
    ['the newest', ''],
    ['by name', '&sort=name'],
    ['companies', '&kind=company'],
    ['companies by name', '&kind=company&sort=name'],
    ['deleted ones', '&state=deleted'],
    ['deleted ones by name', '&state=deleted&sort=name'],
    ['of somebody who made none', '&created_by=00000000-0000-4000-8000-00000000ffff'],
    ['of somebody who made none, by name', '&created_by=00000000-0000-4000-8000-00000000ffff&sort=name'],
    ['made within a minute', '&created_from=2026-01-05T00:00:00Z&created_to=2026-01-05T00:01:00Z'],
    ['a frequent word', '&q=maria'],
    ['a rare name', '&q=zacarias'],
    ['two frequent words', '&q=silva%20maria'],
    ['the beginning of a word', '&q=ma'],
    ['a single letter', '&q=m'],
    ['a word that nobody has', '&q=qqqq'],
    ['a frequent word and one that nobody has', '&q=maria%20qqqq'],
    ['companies of a frequent name', '&q=silva&kind=company'],
    ['deleted ones of a frequent name', '&q=silva&state=deleted'],
  ])('%s: the first page and the next', async (_, query) => {
    const first = await page(query);
    expect(first.status).toBe(200);
    const next = first.body.next_cursor === null ? query : `${query}&cursor=${first.body.next_cursor}`;
    for (const one of [query, next]) {
      expect(await rowsRead(app, tables, () => page(one))).toBeLessThan(fewRows);
    }
  });

  it.each([
    ['e-mail', { email: 'c500000@people.example' }],
    ['phone number', { phone_number: '+5511900500000' }],
    ['CPF', { cpf: '529.982.247-25' }],
    ['birth date', { birth_date: '1950-05-05' }],
    ['birth date and name', { birth_date: '1950-05-05', q: 'maria' }],
  ])('by %s', async (_, body) => {
    expect((await search(body)).status).toBe(200);
    expect(await rowsRead(app, tables, () => search(body))).toBeLessThan(fewRows);
  });

  it('finds names without accents, in any order, once each', async () => {
    expect((await page('&q=umlaut%20zac')).body.items).toMatchObject([{ name: 'Zacarias Ümlaut' }]);
    const seen = new Set<string>();
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 10; pages += 1) {
      const { body }: Answer = await page(`&q=ma%20silva${cursor === '' ? '' : `&cursor=${cursor}`}`);
      for (const { id } of body.items) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      cursor = body.next_cursor;
    }
    expect(seen.size).toBe(200);
  });

  it('counts up to ten thousand', async () => {
    expect((await page('&count=true')).body.total).toEqual({ count: 10_000, is_exact: false });
    expect((await page('&state=deleted&count=true')).body.total).toEqual({ count: 1_000, is_exact: true });
  });
});

/** So often that PostgreSQL has chosen the plan that it keeps for the statement. */
async function repeatedly(request: () => Promise<Answer>): Promise<Answer> {
  for (let n = 1; n < repetitions; n += 1) await request();
  return request();
}

/** What the first page of a list reads, and the next where there is one: both by the plan that is kept. */
async function readByPages(path: string, read: readonly string[]): Promise<number[]> {
  const list = (cursor: string): Promise<Answer> => app.call('GET', `${path}${cursor}`, { token: manager.token });
  const { status, body } = await list('');
  expect(status).toBe(200);
  const pages = body.next_cursor === null ? [''] : ['', `&cursor=${body.next_cursor}`];
  const counts = [];
  for (const one of pages) counts.push(await rowsRead(app, read, () => repeatedly(() => list(one))));
  return counts;
}

describe('X-10: clients that have something in common, among a million', () => {
  const groups = (query: string): Promise<Answer> => app.call('GET', `${clients}/duplicates?limit=20&by=${query}`, { token: manager.token });

  it.each(['phone_number', 'email'])('by %s nothing is, and no row is read to know it', async (by) => {
    expect((await groups(by)).body.items).toEqual([]);
    expect(await heapRowsRead(app, ['clients'], () => repeatedly(() => groups(by)))).toBe(0);
  });

  it('by name and birth date the rows of those are read that are shown, and of the one that a cursor names', async () => {
    const first = await groups('name_and_birth_date');
    expect(first.body.items).toHaveLength(20);
    for (const query of ['name_and_birth_date', `name_and_birth_date&cursor=${first.body.next_cursor}`]) {
      expect(await rowsRead(app, ['clients'], () => groups(query))).toBeGreaterThan(fewRows);
      expect(await heapRowsRead(app, ['clients'], () => repeatedly(() => groups(query)))).toBeLessThan(repetitions * 200);
    }
  });
});

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

describe('S4-8: what is kept of clients, a million of each', () => {
  it.each([
    ['all', ''],
    ['open ones', '&status=open'],
    ['those that were refused', '&status=refused'],
    ['the one that was withdrawn', '&status=withdrawn'],
    ['erasures', '&kind=erasure'],
    ['erasures that were fulfilled', '&kind=erasure&status=fulfilled'],
    ['erasures that were refused, of which there are none', '&kind=erasure&status=refused'],
    ['of a client', `&client_id=${busyClient}`],
    ['open ones of a client', `&client_id=${busyClient}&status=open`],
    ['due before a day', `&due_before=${daysAgo(900)}`],
    ['erasures due before a day', `&kind=erasure&due_before=${daysAgo(60)}`],
    ['overdue ones', '&overdue=true'],
    ['overdue erasures', '&overdue=true&kind=erasure'],
    ['overdue ones of a client', `&overdue=true&client_id=${busyClient}`],
    ['fulfilled ones that are overdue, of which there are none', '&overdue=true&status=fulfilled'],
    ['those that are not overdue', '&overdue=false'],
    ['open ones that are not overdue', '&overdue=false&status=open'],
    ['open erasures that are not overdue', '&overdue=false&status=open&kind=erasure'],
  ])('data requests, %s: the first page and the next', async (_, filter) => {
    for (const count of await readByPages(`/api/v1/client-data-requests?limit=20${filter}`, ['client_data_requests', 'clients'])) {
      expect(count).toBeLessThan(fewRows);
    }
  });

  it.each([
    ['all', ''],
    ['of a client', `&client_id=${busyClient}`],
    ['that can be undone', '&undoable=true'],
    ['that can not be undone', '&undoable=false'],
    ['of a client that can be undone, of which there are none', `&client_id=${busyClient}&undoable=true`],
    ['of a client that can not be undone', `&client_id=${busyClient}&undoable=false`],
  ])('merges, %s: the first page and the next', async (_, filter) => {
    for (const count of await readByPages(`/api/v1/client-merges?limit=20${filter}`, ['client_merges', 'clients'])) {
      expect(count).toBeLessThan(fewRows);
    }
  });

  it('own exports: the first page and the next', async () => {
    const counts = await readByPages(`${clients}/exports?limit=20`, ['client_exports']);
    expect(counts).toHaveLength(2);
    for (const count of counts) expect(count).toBeLessThan(repetitions * 3 * few);
  });
});
