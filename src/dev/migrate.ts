import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, EntityCaseNamingStrategy } from '@mikro-orm/postgresql';
import { migrationsList } from '../../migrations/index.ts';
import { entities } from '../entities/index.ts';
import { bullmqSchema } from '../services/queue/bullmq-schema.ts';
import { bootstrapDatabase } from './bootstrap-database.ts';
import { migrateQueueSchema } from './queue-schema.ts';

async function openMigrator(ownerUrl: string): Promise<MikroORM> {
  return MikroORM.init({
    clientUrl: ownerUrl,
    entities,
    namingStrategy: EntityCaseNamingStrategy,
    extensions: [Migrator],
    // The command prints what was applied; MikroORM's own output would be mixed with it.
    logger: () => undefined,
    // BullMQ migrates its own schema.
    schemaGenerator: { ignoreSchema: [bullmqSchema] },
    migrations: { migrationsList, tableName: 'schema_migrations', snapshot: false, transactional: true },
  });
}

/**
 * Brings the schema to the newest state, and that of the job queues in its own schema; the URL is that of the owner role.
 * Returns the names of what was applied.
 */
export async function migrateUp(ownerUrl: string): Promise<string[]> {
  const orm = await openMigrator(ownerUrl);
  try {
    const applied = (await orm.migrator.up()).map(({ name }) => name);
    await migrateQueueSchema(ownerUrl);
    return applied;
  } finally {
    await orm.close();
  }
}

/** Takes back the newest migration, or all of them. Returns the names of what was reverted. */
export async function migrateDown(ownerUrl: string, options: { all?: boolean } = {}): Promise<string[]> {
  const orm = await openMigrator(ownerUrl);
  try {
    return (await orm.migrator.down(options.all === true ? { to: 0 } : {})).map(({ name }) => name);
  } finally {
    await orm.close();
  }
}

/** Statements about objects that are defined in migrations only; the catalogue test covers those. */
const migrationOnly =
  /^(set names|drop index|create index|drop policy|create policy|drop (function|view|trigger)|drop table if exists "schema_migrations"|alter table "\w+" (drop constraint|add constraint)|create (or replace )?(trigger|function))/i;

/**
 * Compares the migrated schema with the entities: tables, columns, types, defaults, nullability.
 *
 * @returns the statements that would make the database equal to the entities; empty when they agree.
 */
export async function migrationDrift(ownerUrl: string): Promise<string[]> {
  const orm = await openMigrator(ownerUrl);
  try {
    const sql = await orm.schema.getUpdateSchemaSQL({ safe: false, dropTables: true });
    return sql
      .split(/;\s*\n/)
      .map((statement) => statement.trim())
      .filter((statement) => statement !== '' && !migrationOnly.test(statement));
  } finally {
    await orm.close();
  }
}

/** Names of migrations that are in the code but not in the database. */
export async function pendingMigrations(ownerUrl: string): Promise<string[]> {
  const orm = await openMigrator(ownerUrl);
  try {
    return (await orm.migrator.getPending()).map(({ name }) => name);
  } finally {
    await orm.close();
  }
}

/** With the address of an administrator, roles and database are made where they are missing. */
async function prepareDatabase(ownerUrl: string): Promise<void> {
  const adminUrl = process.env['DATABASE_ADMIN_URL'];
  const appUrl = process.env['DATABASE_URL'];
  const retentionUrl = process.env['RETENTION_DATABASE_URL'] || undefined;
  if (adminUrl && appUrl) await bootstrapDatabase({ adminUrl, ownerUrl, appUrl, retentionUrl });
}

async function main(command: string, ownerUrl: string | undefined): Promise<number> {
  if (ownerUrl === undefined) {
    process.stderr.write('DATABASE_OWNER_URL is not set: give the URL of the role that owns the schema.\n');
    return 1;
  }
  switch (command) {
    case 'up': {
      await prepareDatabase(ownerUrl);
      const names = await migrateUp(ownerUrl);
      process.stdout.write(names.length === 0 ? 'Nothing to migrate.\n' : `Applied: ${names.join(', ')}\n`);
      return 0;
    }
    case 'down': {
      const names = await migrateDown(ownerUrl, { all: process.argv.includes('--all') });
      process.stdout.write(names.length === 0 ? 'Nothing to revert.\n' : `Reverted: ${names.join(', ')}\n`);
      return 0;
    }
    case 'check': {
      const pending = await pendingMigrations(ownerUrl);
      const drift = await migrationDrift(ownerUrl);
      for (const name of pending) process.stdout.write(`pending: ${name}\n`);
      for (const statement of drift) process.stdout.write(`drift: ${statement}\n`);
      if (pending.length + drift.length > 0) return 1;
      process.stdout.write('The schema equals migrations and entities.\n');
      return 0;
    }
    default:
      process.stderr.write('Usage: npm run migrate -- up | down [--all] | check\n');
      return 1;
  }
}

if (import.meta.main) {
  process.exitCode = await main(process.argv[2] ?? 'up', process.env['DATABASE_OWNER_URL']);
}
