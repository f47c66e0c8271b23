import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { reencryptSecrets } from '../../src/dev/reencrypt.ts';
import type { ReencryptedColumn } from '../../src/dev/reencrypt.ts';
import { createKeyring, parseKeyList } from '../../src/platform/security/keyring.ts';
import { secretColumns } from '../../src/platform/security/secret-columns.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { createMfaFactor, createTenant, createUser } from '../support/factories/identity.ts';

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const oldKey = key('2025');
const newKey = key('2026');
const ringOf = (...keys: string[]) => createKeyring(parseKeyList(keys.join(','), 'ENCRYPTION_KEYS'));
const oldRing = ringOf(oldKey);
const bothRing = ringOf(newKey, oldKey);

let database: TestDatabase;
let admin: Client;

const place = (id: string) => ({ table: 'mfa_factors', column: 'secret_ciphertext', row_id: id });
const ciphertexts = async (): Promise<Map<string, string>> => {
  const { rows } = await admin.query<{ id: string; secret_ciphertext: string }>(
    'select id, secret_ciphertext from mfa_factors',
  );
  return new Map(rows.map((row) => [row.id, row.secret_ciphertext]));
};

/** What the command needs besides the keys; none of it is used but checked. */
const commandEnv = () => ({
  DATABASE_URL: database.appUrl,
  DATABASE_OWNER_URL: database.ownerUrl,
  AUTH_SIGNING_KEYS: key('s1'),
  AUDIT_SIGNING_KEYS: key('a1'),
});

const factorsOf = (results: readonly ReencryptedColumn[]) => results.find(({ table }) => table === 'mfa_factors');

/** A person with a sealed secret, in a tenant of its own. */
async function addFactor(secret: string): Promise<string> {
  const id = randomUUID();
  const { id: tenant_id } = await createTenant({ database });
  const { id: user_id } = await createUser({ database }, { tenant_id });
  await createMfaFactor({ database }, { id, tenant_id, user_id, secret_ciphertext: oldRing.seal(secret, place(id)) });
  return id;
}

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

describe('npm run keys:reencrypt', () => {
  it('seals every value anew under the active key, in all tenants, and may be stopped and started again', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) ids.push(await addFactor(`secret-${index}`));
    const options = { ownerUrl: database.ownerUrl, keyring: bothRing, batchSize: 2 };
    let batches = 0;
    const interrupted = reencryptSecrets({
      ...options,
      progress: () => {
        batches += 1;
        if (batches === 2) throw new Error('stopped');
      },
    });
    await expect(interrupted).rejects.toThrow('stopped');
    const halfway = [...(await ciphertexts()).values()].filter((value) => value.startsWith(bothRing.sealedPrefix));
    expect(halfway).toHaveLength(4);

    expect(factorsOf(await reencryptSecrets(options))).toMatchObject({ resealed: 3, unreadable: [] });
    const after = await ciphertexts();
    const withNewKeyAlone = ringOf(newKey);
    expect(ids.map((id) => withNewKeyAlone.open(after.get(id) ?? '', place(id))).sort()).toEqual(
      ids.map((_, index) => `secret-${index}`),
    );
    expect(factorsOf(await reencryptSecrets(options))).toMatchObject({ resealed: 0 });
  });

  it('names the rows that no key opens, leaves them alone and goes on with the others', async () => {
    const [lost, found] = [await addFactor('lost'), await addFactor('found')];
    const stray = ringOf(key('gone')).seal('lost', place(lost));
    await admin.query('update mfa_factors set secret_ciphertext = $2 where id = $1', [lost, stray]);
    const results = await reencryptSecrets({ ownerUrl: database.ownerUrl, keyring: bothRing });
    expect(factorsOf(results)).toMatchObject({ resealed: 1, unreadable: [lost] });
    expect((await ciphertexts()).get(lost)).toBe(stray);
    expect(bothRing.open((await ciphertexts()).get(found) ?? '', place(found))).toBe('found');
  });

  it('runs as a command, says what it did for each column, and fails when a row stays unreadable', async () => {
    const env = { ...process.env, ...commandEnv(), ENCRYPTION_KEYS: `${newKey},${oldKey}` };
    const run = promisify(execFile)(process.execPath, ['src/dev/reencrypt.ts'], { env });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('mfa_factors.secret_ciphertext: 0 sealed anew under "2026"'),
      stderr: expect.stringMatching(/row [0-9a-f-]{36} opens with no key/),
    });
    await admin.query('delete from mfa_factors');
    const again = await promisify(execFile)(process.execPath, ['src/dev/reencrypt.ts'], { env });
    expect(again.stderr).not.toContain('opens with no key');
  });

  it('knows every column that holds a sealed secret, and may reach it', async () => {
    const unregistered = async () => {
      const { rows } = await admin.query<{ table: string; column: string }>(
        `select c.table_name as "table", c.column_name as "column" from information_schema.columns c
         where c.table_schema = 'public' and c.column_name like '%\\_ciphertext'`,
      );
      return rows.filter(
        (row) => !secretColumns.some((known) => known.table === row.table && known.column === row.column),
      );
    };
    expect(await unregistered()).toEqual([]);

    await admin.query('create table forgotten (id uuid primary key, api_key_ciphertext text)');
    expect(await unregistered()).toEqual([{ table: 'forgotten', column: 'api_key_ciphertext' }]);
    await admin.query('drop table forgotten');

    const { rows } = await admin.query<{ tablename: string }>(
      "select tablename from pg_policies where policyname = 'key_rotation' and roles = '{castellan_owner}'",
    );
    const reachable = new Set(rows.map(({ tablename }) => tablename));
    expect(secretColumns.filter(({ table }) => !reachable.has(table))).toEqual([]);
  });

  it('registers no column that is not there', async () => {
    for (const { table, column } of secretColumns) {
      await expect(admin.query(`select "${column}" from "${table}" limit 0`)).resolves.toBeDefined();
    }
  });
});
