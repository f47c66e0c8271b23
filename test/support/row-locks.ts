import { Client } from 'pg';
import { asSuperuser } from './superuser.ts';
import type { HasDatabase } from './superuser.ts';

/**
 * Holds the locks that a statement takes, e.g. `select … for update`, so that a change of these rows has begun and cannot
 * go on.
 */
export async function holdLocks(
  { database }: HasDatabase,
  statement: string,
  values: unknown[],
): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: database.adminUrl });
  await client.connect();
  await client.query('begin');
  await client.query(statement, values);
  return {
    release: async () => {
      await client.query('rollback');
      await client.end();
    },
  };
}

/** How many connections wait for a lock. */
export async function lockWaiters(app: HasDatabase): Promise<number> {
  const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
  return (await asSuperuser(app, waiting)).length;
}
