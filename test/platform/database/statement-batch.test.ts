import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { runBatch } from '../../../src/platform/database/statement-batch.ts';
import { createWireTypes } from '../../../src/platform/database/wire-types.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { openTestPool } from '../../support/test-pool.ts';

let database: TestDatabase;
let pool: Pool;
let client: PoolClient;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openTestPool({ connectionString: database.adminUrl, max: 1, pipeline: true, types: createWireTypes() });
  client = await pool.connect();
  await client.query('create table batch_notes (id int primary key, note text)');
});

afterAll(async () => {
  client.release();
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  await client.query('truncate batch_notes');
});

const insert = (id: number) => ({ name: 'insert_note', text: 'insert into batch_notes values ($1, $2)', values: [id, `note ${id}`] });
const select = { name: 'select_notes', text: 'select id, note, null as nothing from batch_notes order by id' };

describe('a batch of statements', () => {
  it('gives the results in order, prepared or not, for the first time and again', async () => {
    for (const first of [1, 3]) {
      const [one, two, notes, plain] = await runBatch(client, [insert(first), insert(first + 1), select, { text: 'select 1::int8 as one' }]);
      expect([one, two]).toEqual([1, 2].map(() => ({ command: 'INSERT', rowCount: 1, rows: [] })));
      expect(notes).toMatchObject({ command: 'SELECT', rowCount: first + 1 });
      expect(notes!.rows.at(-1)).toEqual({ id: first + 1, note: `note ${first + 1}`, nothing: null });
      expect(plain!.rows).toEqual([{ one: 1 }]);
    }
  });

  it('is one transaction: nothing is kept when a statement fails, and those after it do not run', async () => {
    const late = { name: 'late', text: 'select 1 as late' };
    await expect(runBatch(client, [insert(1), insert(1), late])).rejects.toMatchObject({ code: '23505' });
    // `late` was sent with the failed batch but never prepared.
    const [notes, after] = await runBatch(client, [select, late]);
    expect(notes!.rows).toEqual([]);
    expect(after!.rows).toEqual([{ late: 1 }]);
  });

  it('keeps batches apart that are sent at once', async () => {
    const results = await Promise.allSettled([
      runBatch(client, [insert(1)]),
      runBatch(client, [insert(2), { text: 'select 1 / 0' }]),
      runBatch(client, [select]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const [, , last] = results;
    expect(last).toMatchObject({ value: [{ rows: [{ id: 1 }] }] });
  });

  it('sends nothing when a value has no text', async () => {
    const endless: { self?: unknown } = {};
    endless.self = endless;
    await expect(runBatch(client, [insert(1), { text: 'select $1::json', values: [endless] }])).rejects.toThrow(/circular/i);
    expect((await runBatch(client, [select]))[0]!.rows).toEqual([]);
  });

  it('refuses prepared statements of a table that has changed', async () => {
    const all = { name: 'all_notes', text: 'select * from batch_notes' };
    await runBatch(client, [all]);
    await client.query('alter table batch_notes add column added int');
    await expect(runBatch(client, [all])).rejects.toMatchObject({ code: '0A000' });
    await client.query('alter table batch_notes drop column added');
  });

  it('fails with the connection', async () => {
    const lost = openTestPool({ connectionString: database.adminUrl, max: 1, pipeline: true });
    const gone = await lost.connect();
    const [{ pid }] = (await gone.query<{ pid: number }>('select pg_backend_pid() as pid')).rows as [{ pid: number }];
    const end = { text: 'select pg_terminate_backend($1)', values: [pid] };
    const [waiting] = await Promise.allSettled([runBatch(gone, [{ text: 'select pg_sleep(60)' }]), runBatch(client, [end])]);
    expect(waiting).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/terminat/i) } });
    gone.release(true);
    await lost.end();
  });
});
