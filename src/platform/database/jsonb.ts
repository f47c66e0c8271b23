import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';

/** A value on its way into a jsonb column. Said in full, because the driver would make a PostgreSQL array of a list. */
export function jsonb<Value>(value: Value): RawBuilder<Value> {
  return sql<Value>`${JSON.stringify(value)}::jsonb`;
}
