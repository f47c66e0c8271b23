import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';

/**
 * JSON texts as a `text[]`, sent as lines: JSON text holds no raw line break. As a list of values every quotation mark would
 * be escaped here and unescaped by the server.
 */
export function jsonLines(texts: readonly string[]): RawBuilder<string[]> {
  return sql<string[]>`string_to_array(${texts.join('\n')}, chr(10))`;
}
