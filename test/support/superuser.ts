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

/** Typed queries behind every policy; whoever opens it destroys it. */
export function openAsSuperuser(adminUrl: string, connections: number): Kysely<CastellanSchema> {
  const pool = openTestPool({ connectionString: adminUrl, max: connections, types: createWireTypes(), options: '-c TimeZone=UTC' });
  return new Kysely<CastellanSchema>({ dialect: new PostgresDialect({ pool }) });
}

/** Runs typed queries behind every policy, as the superuser, over one connection. */
export async function withSuperuser<Result>(
  { database }: HasDatabase,
  work: (db: Kysely<CastellanSchema>) => Promise<Result>,
): Promise<Result> {
  const db = openAsSuperuser(database.adminUrl, 1);
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
