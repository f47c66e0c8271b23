import type { InferKyselyTable } from '@mikro-orm/postgresql';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { Schema } from '../platform/database/database.ts';
import type { entitiesByTable } from './index.ts';

type Tables = typeof entitiesByTable;

/**
 * Every table of the product with its columns as they travel, derived from the entities. Timestamps are RFC 3339 texts in
 * entities, typed SQL and rows alike.
 */
export type CastellanSchema = { [Name in keyof Tables]: InferKyselyTable<Tables[Name]> };

declare module '../platform/database/database.ts' {
  interface Schema extends CastellanSchema {}
}

/** Builds typed queries for the read path; it has no connection and can only compile. */
export const query = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});
