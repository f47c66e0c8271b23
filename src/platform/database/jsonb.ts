import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';

/** A parameter for a jsonb column. The cast is explicit, because the driver would send a list as a PostgreSQL array. */
export function jsonb<Value>(value: Value): RawBuilder<Value> {
  return sql<Value>`${JSON.stringify(value)}::jsonb`;
}
