/**
 * Checks the migration chain on a PostgreSQL of its own in a temporary folder: up from nothing, no difference to the
 * entities, all the way down, and up again. Needs no running server.
 *
 * Usage: `npm run migrate:check`; exits with 1 and the differences when something does not fit.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { withClient } from './bootstrap-database.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrateDown, migrateUp, migrationDrift } from './migrate.ts';
import { freePort } from './ports.ts';

/** What remains in `public` after all migrations are reverted: the list of migrations itself. */
const remainsQuery = `
  select relname as name from pg_class
   where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'S', 'p')
     and relname not like 'schema_migrations%'
   union all
  select proname from pg_proc p where pronamespace = 'public'::regnamespace
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
   order by name`;

async function check(ownerUrl: string): Promise<string[]> {
  const up = await migrateUp(ownerUrl);
  const problems = (await migrationDrift(ownerUrl)).map((statement) => `differs from the entities: ${statement}`);
  await migrateDown(ownerUrl, { all: true });
  const { rows } = await withClient(ownerUrl, (client) => client.query<{ name: string }>(remainsQuery));
  problems.push(...rows.map(({ name }) => `left behind by the way down: ${name}`));
  const again = await migrateUp(ownerUrl);
  if (again.length !== up.length) problems.push(`the second way up applied ${again.length} of ${up.length}`);
  process.stdout.write(`${up.length} migrations: up, down, up\n`);
  return problems;
}

const folder = await mkdtemp(join(tmpdir(), 'castellan-migrations-'));
try {
  await chmod(folder, 0o711);
  const postgres = await startEmbeddedPostgres({
    folder,
    logFile: join(folder, 'postgres.log'),
    port: await freePort(),
    passwords: { superuser: 'check', owner: 'check', app: 'check' },
    settings: ['fsync=off'],
  });
  try {
    const problems = await check(postgres.ownerUrl);
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  } finally {
    await postgres.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
