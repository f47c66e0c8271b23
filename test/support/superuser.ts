import { Kysely, PostgresDialect } from 'kysely';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import type { CastellanSchema } from '../../src/entities/kysely-schema.ts';
import { createWireTypes } from '../../src/platform/database/wire-types.ts';
import type { TestDatabase } from './database.ts';
import { openTestPool } from './test-pool.ts';

/** Whatever has a database of its own: a test API, or `{ database }` of a test below the API. */
export interface HasDatabase {
  readonly database: Pick<TestDatabase, 'adminUrl'>;
}

/** Runs SQL behind every policy, as the superuser. */
export async function asSuperuser<Row extends Record<string, unknown>>(
  { database }: HasDatabase,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return withClient(database.adminUrl, async (admin) => (await admin.query<Row>(statement, values)).rows);
}

/** Runs typed queries behind every policy, as the superuser, over one connection. */
export async function withSuperuser<Result>(
  { database }: HasDatabase,
  work: (db: Kysely<CastellanSchema>) => Promise<Result>,
): Promise<Result> {
  const pool = openTestPool({ connectionString: database.adminUrl, max: 1, types: createWireTypes(), options: '-c TimeZone=UTC' });
  const db = new Kysely<CastellanSchema>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
