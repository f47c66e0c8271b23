import { Client, escapeIdentifier } from 'pg';
import { loadEnv } from '../platform/env.ts';
import { SealedValueError, createKeyring, parseKeyList } from '../platform/security/keyring.ts';
import type { Keyring } from '../platform/security/keyring.ts';
import { secretColumns } from '../platform/security/secret-columns.ts';
import type { SecretColumn } from '../platform/security/secret-columns.ts';

/** The result for one column. */
export interface ReencryptedColumn extends SecretColumn {
  /** Values that were sealed again. */
  readonly resealed: number;
  /** Rows whose value does not open with any key of the ring; they were left as they are. */
  readonly unreadable: readonly string[];
}

interface SealedRow {
  readonly id: string;
  readonly ciphertext: string;
}

const defaultBatchSize = 500;

/**
 * Seals every registered secret again under the active key, in all tenants, one short transaction for each batch.
 *
 * It may be stopped and started again at any time: progress is read from the key id in the values themselves. It
 * runs beside a live system, because a value that was changed meanwhile is left alone; such a value is under the
 * active key already, once all processes have the new ring.
 *
 * @param ownerUrl role that owns the schema: the application's own role sees one tenant at a time
 */
export async function reencryptSecrets(options: {
  ownerUrl: string;
  keyring: Keyring;
  columns?: readonly SecretColumn[];
  batchSize?: number;
  progress?: (column: SecretColumn, resealed: number) => void;
}): Promise<ReencryptedColumn[]> {
  const { keyring, columns = secretColumns, batchSize = defaultBatchSize, progress = () => undefined } = options;
  const client = new Client({ connectionString: options.ownerUrl, application_name: 'castellan-reencrypt' });
  await client.connect();
  try {
    const results: ReencryptedColumn[] = [];
    for (const column of columns) {
      results.push(await reencryptColumn(client, keyring, column, batchSize, (count) => progress(column, count)));
    }
    return results;
  } finally {
    await client.end();
  }
}

async function reencryptColumn(
  client: Client,
  keyring: Keyring,
  place: SecretColumn,
  batchSize: number,
  progress: (resealed: number) => void,
): Promise<ReencryptedColumn> {
  const table = escapeIdentifier(place.table);
  const column = escapeIdentifier(place.column);
  const unreadable: string[] = [];
  let resealed = 0;
  let lastId = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await client.query<SealedRow>(
      `select id, ${column} as ciphertext from ${table}
       where ${column} is not null and not starts_with(${column}, $1) and id > $2 order by id limit $3`,
      [keyring.sealedPrefix, lastId, batchSize],
    );
    const last = rows.at(-1);
    if (last === undefined) break;
    const fresh = rows.flatMap((row) => {
      const ciphertext = resealOrNull(keyring, place, row);
      if (ciphertext === null) unreadable.push(row.id);
      return ciphertext === null ? [] : [{ ...row, resealed: ciphertext }];
    });
    const updated = await client.query(
      `update ${table} set ${column} = fresh.resealed
       from unnest($1::uuid[], $2::text[], $3::text[]) as fresh (id, ciphertext, resealed)
       where ${table}.id = fresh.id and ${table}.${column} = fresh.ciphertext`,
      [fresh.map(({ id }) => id), fresh.map(({ ciphertext }) => ciphertext), fresh.map((row) => row.resealed)],
    );
    resealed += updated.rowCount ?? 0;
    lastId = last.id;
    progress(resealed);
  }
  return { ...place, resealed, unreadable };
}

function resealOrNull(keyring: Keyring, { table, column }: SecretColumn, row: SealedRow): string | null {
  const place = { table, column, row_id: row.id };
  try {
    return keyring.seal(keyring.open(row.ciphertext, place), place);
  } catch (error) {
    if (error instanceof SealedValueError) return null;
    throw error;
  }
}

async function main(): Promise<number> {
  const { DATABASE_OWNER_URL: ownerUrl, ENCRYPTION_KEYS } = loadEnv();
  if (ownerUrl === undefined) {
    process.stderr.write('DATABASE_OWNER_URL is not set: give the URL of the role that owns the schema.\n');
    return 1;
  }
  const keyring = createKeyring(parseKeyList(ENCRYPTION_KEYS, 'ENCRYPTION_KEYS'));
  const results = await reencryptSecrets({ ownerUrl, keyring });
  for (const { table, column, resealed, unreadable } of results) {
    process.stdout.write(`${table}.${column}: ${resealed} sealed anew under "${keyring.active_key_id}"\n`);
    for (const id of unreadable) process.stderr.write(`${table}.${column}: row ${id} opens with no key of the ring\n`);
  }
  return results.some(({ unreadable }) => unreadable.length > 0) ? 1 : 0;
}

if (import.meta.main) {
  process.exitCode = await main();
}
