import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { cnpjInput, cpfInput } from '../../../src/platform/document-numbers.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { cnpjOf, cpfOf, isCnpj, isCpf } from '../../support/document-numbers.ts';

let database: TestDatabase;
let db: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  db = new Client({ connectionString: database.adminUrl });
  await db.connect();
});

afterAll(async () => {
  await db.end();
  await database.drop();
});

/** Numbers that repeat: a generator of its own, so that a failure can be repeated. */
function* draws(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

async function judged(name: 'cpf_is_valid' | 'cnpj_is_valid', values: readonly string[]): Promise<boolean[]> {
  const { rows } = await db.query(`select ${name}(v) as valid from unnest($1::text[]) with ordinality as t (v, n) order by n`, [values]);
  return rows.map(({ valid }: { valid: boolean }) => valid);
}

describe('S4-10: the checks of the database take what the API takes', () => {
  it('100,000 CPF: right, one digit wrong, any digits', async () => {
    const random = draws(41);
    const next = () => random.next().value as number;
    const values = Array.from({ length: 100_000 }, (_, n) => {
      const base = String(Math.floor(next() * 1e9)).padStart(9, '0');
      if (n % 3 === 0) return cpfOf(base);
      if (n % 3 === 1) return base + String(Math.floor(next() * 100)).padStart(2, '0');
      const cpf = cpfOf(base);
      const place = Math.floor(next() * 11);
      return cpf.slice(0, place) + String(Math.floor(next() * 10)) + cpf.slice(place + 1);
    });
    for (let digit = 0; digit < 10; digit += 1) values.push(String(digit).repeat(11));
    values.push('12345678909', '00000000191');
    const valid = await judged('cpf_is_valid', values);
    const differing = values.filter((value, n) => valid[n] !== cpfInput.safeParse(value).success || valid[n] !== isCpf(value));
    expect(differing).toEqual([]);
    expect(valid.filter(Boolean).length).toBeGreaterThan(33_000);
  });

  it('100,000 CNPJ of both forms', async () => {
    const random = draws(43);
    const next = () => random.next().value as number;
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
    const values = Array.from({ length: 100_000 }, (_, n) => {
      const size = n % 2 === 0 ? 10 : 36;
      const base = Array.from({ length: 12 }, () => alphabet.charAt(Math.floor(next() * size))).join('');
      const cnpj = cnpjOf(base);
      if (n % 3 === 0) return cnpj;
      const place = Math.floor(next() * 14);
      return cnpj.slice(0, place) + alphabet.charAt(Math.floor(next() * size)) + cnpj.slice(place + 1);
    });
    for (const one of alphabet) values.push(one.repeat(14), cnpjOf(one.repeat(12)));
    const valid = await judged('cnpj_is_valid', values);
    const differing = values.filter((value, n) => valid[n] !== cnpjInput.safeParse(value).success || valid[n] !== isCnpj(value));
    expect(differing).toEqual([]);
  });

  it.each(['', '5299822472', '529982247255', '529.982.247-25', '٥٢٩٩٨٢٢٤٧٢٥', '5299822472a'])('%p is no CPF', async (value) =>
    expect(await judged('cpf_is_valid', [value])).toEqual([false]),
  );

  it('of nothing they say nothing', async () => {
    const { rows } = await db.query('select cpf_is_valid(null) as cpf, cnpj_is_valid(null) as cnpj');
    expect(rows).toEqual([{ cpf: null, cnpj: null }]);
  });
});

describe('U-14: folded words of names', () => {
  it.each([
    ['José da Silva', 'jose da silva'],
    ['JOSE\u0301 DA SILVA', 'jose da silva'],
    ['  D’Ávila-Nuñez  ', 'd avila nunez'],
    ['Łukasz Ørsted', 'lukasz orsted'],
    ['Groß & Söhne', 'gross sohne'],
    ['ＡＢＣ', 'abc'],
    ['Ирина', 'ирина'],
    ['Σίσυφος', 'σισυφος'],
    ['!!!', ''],
  ])('%s is %s', async (name, folded) => {
    const { rows } = await db.query('select folded($1) as folded', [name]);
    expect(rows[0].folded).toBe(folded);
  });

  it('a word that occurs twice is one', async () => {
    const { rows } = await db.query("select name_words('Ana Maria Ana') as words");
    expect(rows[0].words.toSorted()).toEqual(['ana', 'maria']);
  });
});
