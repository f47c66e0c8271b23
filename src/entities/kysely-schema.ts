import type { InferKyselyTable } from '@mikro-orm/postgresql';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { ColumnType } from 'kysely';
import type { Schema } from '../platform/database/database.ts';
import type { entitiesByTable } from './index.ts';

type Out<Value> = Value extends Date ? string : Value;
type In<Value> = Value extends Date ? Date | string : Value;

/** Timestamps leave the driver as RFC 3339 strings (`platform/wire-types.ts`) and may be given as Date or string. */
type WireColumn<Column> = [Column] extends [ColumnType<infer Select, infer Insert, infer Update>]
  ? ColumnType<Out<Select>, In<Insert>, In<Update>>
  : ColumnType<Out<Column>, In<Column>, In<Column>>;

type WireTable<Table> = { [Name in keyof Table]: WireColumn<Table[Name]> };

type Tables = typeof entitiesByTable;

/** Every table of the product with its columns as they travel, derived from the entities. */
export type CastellanSchema = { [Name in keyof Tables]: WireTable<InferKyselyTable<Tables[Name]>> };

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
