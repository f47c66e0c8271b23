import { CompiledQuery } from 'kysely';

/**
 * A query that is written in SQL, for the read path. Its text must be a constant: values go into `values` (`$1`, `$2`, …).
 * `Row` is the type of one result row.
 */
export function rawQuery<Row>(text: string, values: readonly unknown[]) {
  return { compile: () => CompiledQuery.raw(text, [...values]) as CompiledQuery<Row> };
}
