import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { importCsvFile, previewCsvFile } from '../../src/platform/csv-file.ts';
import type { CsvBatchTaker, CsvFileFormat, CsvFilePreview } from '../../src/platform/csv-file.ts';
import { Problem } from '../../src/platform/problem.ts';

type Column = 'name' | 'email' | 'age' | 'kind';
interface Person {
  readonly name: string;
  readonly email?: string | undefined;
  readonly age?: number | undefined;
  readonly kind?: string;
}

const person = z
  .strictObject({ name: z.string().max(20), email: z.email().optional(), age: z.int().max(150).optional() })
  .refine(({ name }) => name !== 'Nobody', { path: [], message: 'is a rule about the whole row' });

/** People of a kind that is looked up; who is a member has an address. */
const people: CsvFileFormat<Column, z.infer<typeof person>, Person> = {
  columns: ['name', 'email', 'age', 'kind'],
  required: ['name'],
  lookups: ['kind'],
  schema: person,
  numbers: { age: 'must be a whole number' },
  check: (row, textOf) => {
    const kind = textOf('kind') || 'guest';
    if (!['guest', 'member'].includes(kind)) return { faults: [{ column: 'kind', detail: 'is no kind of person' }] };
    if (kind === 'guest' || row.email !== undefined) return { row: { ...row, kind } };
    return { faults: [{ column: 'email', detail: 'is required of members' }] };
  },
};

const file = (...chunks: (string | Buffer)[]) => Readable.from(chunks, { objectMode: true });

/** What an import hands over, or the problem that it throws. */
async function imported(source: Readable): Promise<{ batches: Person[][]; numbers: number[]; problem: Problem | null }> {
  const batches: Person[][] = [];
  const numbers: number[] = [];
  const write: CsvBatchTaker<Column, Person> = async (rows) => {
    batches.push(rows.map(({ item }) => item));
    numbers.push(...rows.map(({ number }) => number));
  };
  try {
    await importCsvFile(source, people, { code: 'import.refused', write });
    return { batches, numbers, problem: null };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { batches, numbers, problem };
  }
}

const preview = (text: string): Promise<CsvFilePreview> => previewCsvFile(file(text), people);
const pointersOf = ({ errors }: Pick<CsvFilePreview, 'errors'>) => errors.map(({ pointer }) => pointer);

/** The bytes of a file of so many people, a line at a time, with a count of the lines that were asked for. */
function manyPeople(count: number) {
  const asked = { lines: 0 };
  function* lines() {
    yield Buffer.from('name,age\n');
    for (; asked.lines < count; asked.lines += 1) yield Buffer.from(`Person ${asked.lines},${asked.lines % 100}\n`);
  }
  return { asked, source: Readable.from(lines()) };
}

describe('an imported file', () => {
  it.each([
    ['lines that end in LF', 'name,age\nAda,36\nBob,\n'],
    ['lines that end in CRLF', 'name,age\r\nAda,36\r\nBob,\r\n'],
    ['a byte order mark', '\uFEFFname,age\nAda,36\nBob,\n'],
    ['columns in another order, capitals and blanks', ' Age ,NAME\n36,  Ada \n,Bob\n'],
    ['quotes', '"name","age"\n"Ada",36\n"Bob",""'],
    ['empty lines', '\nname,age\n\nAda,36\n\n\nBob,\n\n'],
  ])('may have %s', async (_, text) => {
    const { batches, problem } = await imported(file(text));
    expect(problem).toBeNull();
    expect(batches).toEqual([[{ name: 'Ada', age: 36, kind: 'guest' }, { name: 'Bob', kind: 'guest' }]]);
  });

  it('is read alike however its bytes arrive', async () => {
    const bytes = Buffer.from('\uFEFFname,kind\r\n"Zoë, ""Z""\r\nof Bern",guest\r\nBob,\r\n');
    const { batches } = await imported(file(...Array.from(bytes, (byte) => Buffer.from([byte]))));
    expect(batches).toEqual([[{ name: 'Zoë, "Z"\r\nof Bern', kind: 'guest' }, { name: 'Bob', kind: 'guest' }]]);
  });

  it('of names alone has no rows', async () => {
    expect(await imported(file('name,email\n'))).toEqual({ batches: [], numbers: [], problem: null });
  });

  it('loses the apostrophe that an export put before a formula, and no other', async () => {
    const { batches } = await imported(file(`name\n'=1+1\n'+41\n'n Roll\n`));
    expect(batches.flat().map(({ name }) => name)).toEqual(['=1+1', '+41', "'n Roll"]);
  });

  it('is handed over 1,000 rows at a time, with their numbers', async () => {
    const { batches, numbers } = await imported(manyPeople(2_001).source);
    expect(batches.map(({ length }) => length)).toEqual([1_000, 1_000, 1]);
    expect([numbers[0], numbers.at(-1)]).toEqual([2, 2_002]);
  });
});

describe('bytes that are not UTF-8', () => {
  it('are a fault of their cell: what they meant is lost', async () => {
    const found = await previewCsvFile(Readable.from([Buffer.from('name\nJos\u00e9 Gon\u00e7alves\n', 'latin1'), Buffer.from('Jos\u00e9\n')]), people);
    expect(found).toMatchObject({ rows: 2, valid: 1, errors: [{ pointer: '/rows/2/name', detail: 'holds a character that cannot be stored' }] });
  });
});

describe('the names of the columns', () => {
  it.each([
    ['lack one that is required', 'email\na@b.test'],
    ['are repeated', 'name,Name\nA,B'],
    ['are unknown', 'name,password\nA,hunter2'],
    ['have an empty one', 'name,\nA,B'],
    ['are data', 'Ada,a@b.test'],
  ])('refuse the file where they %s', async (_, text) => {
    const { problem, batches } = await imported(file(text));
    expect(problem).toMatchObject({
      code: 'import.refused',
      status: 422,
      message: 'The first row names the columns: name, and any of email, age, kind, each once.',
      errors: [{ pointer: '/rows/1', detail: 'does not name the columns' }],
    });
    expect(batches).toEqual([]);
    expect(await preview(text)).toEqual({
      rows: 0,
      valid: 0,
      fault_count: 1,
      errors: [{ pointer: '/rows/1', detail: problem?.message }],
    });
  });

  it('are all required where no other is known', async () => {
    const format = { ...people, columns: ['name', 'email'], required: ['name', 'email'], lookups: [] } as const;
    const { errors } = await previewCsvFile(file('name\nA'), format);
    expect(errors[0]?.detail).toBe('The first row names the columns: name, email, each once.');
  });

  it.each(['', '\r\n\r\n', '\uFEFF'])('are missing in an empty file: %j', async (text) => {
    const { problem } = await imported(file(text));
    expect(problem).toMatchObject({ errors: [{ pointer: '/rows/1', detail: 'must name the columns' }], members: { fault_count: 1 } });
    expect(await preview(text)).toMatchObject({ rows: 0, valid: 0, fault_count: 1 });
  });

  it('end the reading of the stream where they are refused', async () => {
    const { source, asked } = manyPeople(1_000_000);
    await expect(importCsvFile(source, { ...people, required: ['email'] }, { code: 'import.refused', write: async () => undefined }))
      .rejects.toThrow('names the columns');
    expect(source.destroyed).toBe(true);
    expect(asked.lines).toBeLessThan(1_000);
  });
});

describe('faults', () => {
  it('are listed by row and column, and never repeat what a cell holds', async () => {
    const text = [
      'name,email,age,kind',
      'Ada,ada@x.test,36,member',
      ',secret-address,hunter2,',
      'Bob,,,secret-kind',
      'Carl,,,member',
      `${'secret'.repeat(10)},a\u0000secret,151,`,
      'secret,short',
      'secret,a@x.test,1,guest,secret-too-much',
      'Nobody,,,',
    ].join('\n');
    const { problem, batches } = await imported(file(text));
    expect(problem).toMatchObject({ code: 'import.refused', message: '11 faults were found; nothing was imported.', members: { fault_count: 11 } });
    expect(problem?.errors).toEqual([
      { pointer: '/rows/3/email', detail: 'must be an e-mail address' },
      { pointer: '/rows/3/age', detail: 'must be a whole number' },
      { pointer: '/rows/3/name', detail: 'is missing' },
      { pointer: '/rows/4/kind', detail: 'is no kind of person' },
      { pointer: '/rows/5/email', detail: 'is required of members' },
      { pointer: '/rows/6/name', detail: 'must have at most 20 characters' },
      { pointer: '/rows/6/email', detail: 'holds a character that cannot be stored' },
      { pointer: '/rows/6/age', detail: 'must be at most 150' },
      { pointer: '/rows/7', detail: 'has 2 fields instead of 4' },
      { pointer: '/rows/8', detail: 'has 5 fields instead of 4' },
      { pointer: '/rows/9', detail: 'is not accepted' },
    ]);
    expect(JSON.stringify(problem?.toBody('1'))).not.toMatch(/secret|hunter2/);
    expect(batches.flat()).toHaveLength(1);
  });

  it('are counted beyond the first hundred', async () => {
    const { problem } = await imported(file(`name,age\n${'A,x\n'.repeat(2_500)}`));
    expect(problem?.members).toEqual({ fault_count: 2_500 });
    expect(pointersOf(problem!)).toEqual(Array.from({ length: 100 }, (_, place) => `/rows/${place + 2}/age`));
  });

  it('are reported by who writes too, for rows of every batch', async () => {
    const taken = new Set(['Person 5', 'Person 2500']);
    const importing = importCsvFile(manyPeople(3_000).source, people, {
      code: 'prospect.import-refused',
      write: async (rows, reportFault) => {
        await nextTurn();
        for (const row of rows) if (taken.has(row.item.name)) reportFault(row, 'name', 'is taken');
      },
    });
    await expect(importing).rejects.toMatchObject({
      code: 'prospect.import-refused',
      errors: [{ pointer: '/rows/7/name', detail: 'is taken' }, { pointer: '/rows/2502/name', detail: 'is taken' }],
    });
  });

  it.each([
    ['a quote that is never closed', '"open, and the rest\nof the file\n'],
    ['a quote that is never closed, before much', `"open${'\nx'.repeat(100_000)}`],
    ['a quote within a field', 'secret"s,1\nBob,\n'],
    ['text after a quote', '"secret"s,1\nBob,\n'],
    ['a record of more than 64 KiB', `${'x'.repeat(64 * 1024 + 1)},1\nBob,\n`],
  ])('of CSV are those of their row, and end the reading: %s', async (_, text) => {
    // A writer that takes its time: the rows before the fault wait, and none of them is lost.
    const before = 'A,\n'.repeat(2_999);
    const found = await previewCsvFile(file(`name,age\n${before}B,x\n${text}`), people, async () => nextTurn());
    expect(found).toEqual({
      rows: 3_000,
      valid: 2_999,
      fault_count: 2,
      errors: [
        { pointer: '/rows/3001/age', detail: 'must be a whole number' },
        { pointer: '/rows/3002', detail: 'is not well-formed CSV' },
      ],
    });
  });

  it('of CSV may be those of the header', async () => {
    expect(await preview('"name')).toEqual({ rows: 0, valid: 0, fault_count: 1, errors: [{ pointer: '/rows/1', detail: 'is not well-formed CSV' }] });
  });
});

describe('a preview', () => {
  it('counts rows, valid rows and faults', async () => {
    expect(await preview('name,age\nAda,36\nBob,old\n')).toEqual({
      rows: 2,
      valid: 1,
      fault_count: 1,
      errors: [{ pointer: '/rows/3/age', detail: 'must be a whole number' }],
    });
    expect(await preview('name\nAda\n')).toEqual({ rows: 1, valid: 1, fault_count: 0, errors: [] });
  });

  it('counts a row once that looks wrong in two ways', async () => {
    const found = await previewCsvFile(file('name,email\nAda,a@x.test\nBob,b@x.test\n'), people, async ([first], reportFault) => {
      reportFault(first!, 'name', 'is taken');
      reportFault(first!, 'email', 'is taken');
    });
    expect(found).toMatchObject({ rows: 2, valid: 1, fault_count: 2 });
    expect(pointersOf(found)).toEqual(['/rows/2/name', '/rows/2/email']);
  });
});

describe('a stream', () => {
  it('waits for each batch: of 200,000 rows only a few batches are held', async () => {
    const { source, asked } = manyPeople(200_000);
    let written = 0;
    let mostHeld = 0;
    await importCsvFile(source, people, {
      code: 'import.refused',
      write: async (rows) => {
        await nextTurn();
        mostHeld = Math.max(mostHeld, asked.lines - written);
        written += rows.length;
      },
    });
    expect(written).toBe(200_000);
    expect(mostHeld).toBeLessThan(3 * 1_000);
  });

  it('that gives everything at once is parsed in pieces', async () => {
    let checked = 0;
    let written = 0;
    let mostHeld = 0;
    const format: typeof people = { ...people, check: (row, textOf) => ((checked += 1), people.check(row, textOf)) };
    await importCsvFile(file(`name\n${'A\n'.repeat(200_000)}`), format, {
      code: 'import.refused',
      write: async (rows) => {
        await nextTurn();
        mostHeld = Math.max(mostHeld, checked - written);
        written += rows.length;
      },
    });
    expect([written, mostHeld]).toEqual([200_000, 1_000]);
  });

  it('that breaks off is no fault of the file: its error is thrown', async () => {
    async function* broken() {
      yield `name\n${'A\n'.repeat(3_000)}`;
      await nextTurn();
      throw new Error('connection lost');
    }
    await expect(imported(Readable.from(broken()))).rejects.toThrow('connection lost');
    await expect(previewCsvFile(Readable.from(broken()), people)).rejects.toThrow('connection lost');
  });

  it('is given up when a batch cannot be written', async () => {
    const { source, asked } = manyPeople(200_000);
    const write = async () => Promise.reject(new Error('disk full'));
    await expect(importCsvFile(source, people, { code: 'import.refused', write })).rejects.toThrow('disk full');
    expect(source.destroyed).toBe(true);
    expect(asked.lines).toBeLessThan(3 * 1_000);
  });
});
