import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { startTestApi } from '../support/api.ts';
import type { Answer, SignedIn, TestApi } from '../support/api.ts';
import { rowsRead } from '../support/rows-read.ts';
import { withoutIndexes } from '../support/without-indexes.ts';

const million = 1_000_000;
/** What a page may read of a million clients with three and a half million words. */
const fewRows = 10_000;
const tables = ['clients', 'client_name_words'] as const;
const clients = '/api/v1/clients';

let app: TestApi;
let manager: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  manager = await app.signIn('role-super-admin');
  await fill();
});

afterAll(() => app.close());

/**
 * A million clients. The n-th name of a list comes about n times less often than the first, as names do: one client in six is a
 * Maria, one in seven a Silva. One in a thousand is a company or is deleted.
 */
async function fill(): Promise<void> {
  await withClient(app.database.adminUrl, async (db) => {
    await db.query("set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '256MB'; set jit = off");
    const first = ['Maria', 'José', 'Ana', 'João', 'Antônio', 'Francisco', 'Carlos', 'Paulo', 'Pedro', 'Lucas', 'Luiz', 'Marcos'];
    const last = ['Silva', 'Santos', 'Oliveira', 'Souza', 'Rodrigues', 'Ferreira', 'Alves', 'Pereira', 'Lima', 'Gomes', 'Ribeiro'];
    const names = (known: string[], ending: string) => [...known, ...Array.from({ length: 400 }, (_, n) => `${ending}${n.toString(26)}`)];
    await db.query(`create function pg_temp.skewed(list text[], n bigint) returns text language sql immutable
      return list[1 + floor(exp(ln(cardinality(list)) * (n % 100003) / 100003.0) - 1)::int]`);
    await withoutIndexes(db, tables, async () => {
      await db.query(
        `insert into clients (id, tenant_id, kind, name, birth_date, email, phone_number, created_at, deleted_at)
         select ('10000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, case when n % 1000 = 1 then 'company' else 'person' end,
           pg_temp.skewed($2, n * 7919) || ' ' || pg_temp.skewed($3, n * 104729) || ' ' || pg_temp.skewed($3, n * 15485863),
           case when n % 1000 <> 1 then date '1940-01-01' + (n % 25000)::int end,
           'c' || n || '@people.example', '+55119' || lpad(n::text, 8, '0'), timestamptz '2026-01-01' + n * interval '1 second',
           case when n % 1000 = 2 then now() end
         from generate_series(1::bigint, ${million}) n`,
        [defaultTenantId, names(first, 'Xan'), names(last, 'Yol')],
      );
      await db.query("update clients set name = 'Zacarias Ümlaut' where id = '10000000-0000-4000-8000-000000000007'");
      await db.query(`insert into client_name_words (tenant_id, is_deleted, word, name, client_id, kind)
        select tenant_id, deleted_at is not null, word, sort_name, id, kind from clients cross join lateral unnest(name_words(name)) word
        order by word, sort_name, id`);
    });
    await db.query('vacuum (analyze) clients, client_name_words');
  });
}

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
