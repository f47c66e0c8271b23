import type { InferKyselyTable } from '@mikro-orm/postgresql';
import type { GeneratedAlways } from 'kysely';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { Schema } from '../platform/database/database.ts';
import type { entitiesByTable } from './index.ts';

type Tables = { [Name in keyof typeof entitiesByTable]: InferKyselyTable<(typeof entitiesByTable)[Name]> };

/**
 * Every table of the product with its columns as they travel, derived from the entities. Timestamps are RFC 3339 texts in
 * entities, typed SQL and rows alike.
 */
export type CastellanSchema = Omit<Tables, 'users' | 'clients'> & {
  // MikroORM's types do not tell that no insert may name a column that the database computes.
  users: Omit<Tables['users'], 'is_active'> & { is_active: GeneratedAlways<boolean> };
  clients: Omit<Tables['clients'], 'is_active' | 'sort_name'> & {
    is_active: GeneratedAlways<boolean>;
    sort_name: GeneratedAlways<string>;
  };
};

declare module '../platform/database/database.ts' {
  interface Schema extends CastellanSchema {}
}

/** Builds typed queries for the read path; it has no connection and can only compile. */
export const kysely = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});
