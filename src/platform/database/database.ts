import { EntityCaseNamingStrategy, MikroORM } from '@mikro-orm/postgresql';
import type { Configuration, EntitySchema, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Pool } from 'pg';
import { PersonKeys } from '../audit/audit-person-keys.ts';
import type { Env } from '../env.ts';
import { createKeyring, parseKeyList } from '../security/keyring.ts';
import type { Logger } from '../observability/logger.ts';
import { BoundDriver } from './bound-driver.ts';
import { Invalidation } from './invalidation.ts';
import { pipelinedDialect } from './pipelined-dialect.ts';
import { createWireTypes } from './wire-types.ts';

/**
 * The tables as Kysely sees them. Empty here because the platform names no feature; `src/entities/kysely-schema.ts` fills it
 * by declaration merging from the entities.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- filled by declaration merging
export interface Schema {}

/** The open connections of one process to PostgreSQL. */
export interface Database {
  readonly orm: MikroORM;
  /** Pipelining connections for {@link read}. */
  readonly readPool: Pool;
  readonly invalidation: Invalidation;
  /** What the audit seals personal data with. */
  readonly personKeys: PersonKeys;
  readonly log: Logger;
  close(): Promise<void>;
}

interface DatabaseOptions {
  readonly env: Pick<Env, 'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'DATABASE_READ_POOL_SIZE' | 'ENCRYPTION_KEYS'>;
  readonly entities: EntitySchema[];
  readonly log: Logger;
  readonly applicationName: string;
}

/** Limits of every connection: a statement that hangs or an abandoned transaction must not hold locks indefinitely. */
const connectionOptions = '-c TimeZone=UTC -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s';

/**
 * Opens the pools and refuses a role that row-level security would not bind.
 *
 * @throws Error when the role is a superuser, has BYPASSRLS or owns a table (S3-57), or may drop audit entries (T-17).
 */
export async function openDatabase({ env, entities, log, applicationName }: DatabaseOptions): Promise<Database> {
  const openPool = (max: number): Pool => {
    const pool = new Pool({
      connectionString: env.DATABASE_URL,
      max,
      options: connectionOptions,
      application_name: applicationName,
      types: createWireTypes(),
      connectionTimeoutMillis: 5_000,
      pipeline: true,
    });
    // The user of a connection learns of its end from the failed query; an 'error' event without a listener would end the process.
    pool.on('connect', (client) => client.on('error', (error) => log.warn({ err: error }, 'a database connection was lost')));
    pool.on('error', () => undefined);
    return pool;
  };
  const readPool = openPool(env.DATABASE_READ_POOL_SIZE);
  const orm = await openOrm(env.DATABASE_URL, entities, openPool(env.DATABASE_POOL_SIZE));
  const invalidation = new Invalidation({ connectionString: env.DATABASE_URL, application_name: applicationName }, log);
  const personKeys = new PersonKeys(createKeyring(parseKeyList(env.ENCRYPTION_KEYS, 'ENCRYPTION_KEYS')), invalidation, log);
  try {
    await assertBoundRole(readPool);
    await invalidation.start();
  } catch (error) {
    await Promise.allSettled([readPool.end(), orm.close(), invalidation.stop()]);
    throw error;
  }
  return {
    orm,
    readPool,
    invalidation,
    personKeys,
    log,
    close: async () => {
      await Promise.allSettled([invalidation.stop(), readPool.end(), orm.close()]);
    },
  };
}

/** MikroORM with the project's naming: entity property = column = JSON field. Its units of work are pipelined. */
async function openOrm(url: string, entities: EntitySchema[], pool: Pool): Promise<MikroORM> {
  // Typed as the driver that it extends, so that the entity manager keeps its type.
  const driver: new (config: Configuration) => PostgreSqlDriver = BoundDriver;
  return MikroORM.init({
    clientUrl: url,
    driver,
    entities,
    namingStrategy: EntityCaseNamingStrategy,
    driverOptions: pipelinedDialect(pool),
    forceUtcTimezone: true,
    // Batch updates query the versions beforehand and do not check how many rows were changed.
    useBatchUpdates: false,
    // A column without a value is null in answers and audit entries, not absent.
    initNullableProperties: true,
    // The schema is created by the migrations; skipping the check saves a query at every start.
    ensureDatabase: false,
    discovery: { warnWhenNoEntities: false },
  });
}

async function assertBoundRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ rolsuper: boolean; rolbypassrls: boolean; owns: boolean; drops: boolean; role: string }>(`
    select r.rolname as role, r.rolsuper, r.rolbypassrls,
      exists (
        select from pg_catalog.pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and pg_catalog.pg_has_role(current_user, c.relowner, 'member')
      ) as owns,
      exists (
        select from pg_catalog.pg_roles d where d.rolname = 'castellan_retention' and pg_catalog.pg_has_role(r.oid, d.oid, 'member')
      ) as drops
    from pg_catalog.pg_roles r where r.rolname = current_user`);
  const role = rows[0];
  if (role === undefined) throw new Error('The database role could not be read.');
  const reasons = [
    role.rolsuper ? 'is a superuser' : null,
    role.rolbypassrls ? 'has BYPASSRLS' : null,
    role.owns ? 'owns tables' : null,
  ].filter((reason) => reason !== null);
  if (role.drops && reasons.length === 0) {
    throw new Error(
      `Refusing to start: database role "${role.role}" is a member of castellan_retention, so it could drop audit entries. ` +
        'Revoke that; the retention has a login of its own.',
    );
  }
  if (reasons.length > 0) {
    throw new Error(
      `Refusing to start: database role "${role.role}" ${reasons.join(' and ')}, so tenants would not be kept apart. ` +
        'Connect as a role that is a plain member of castellan_app.',
    );
  }
}
