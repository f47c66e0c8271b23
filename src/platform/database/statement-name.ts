import { createHash } from 'node:crypto';

/** Statements that each connection may keep prepared; far more than the routes have, far less than would hurt. */
const maxNames = 1_000;
/** Longer texts are bulk statements, whose shape changes with the number of their rows. */
const maxLength = 8_192;

const names = new Map<string, string | undefined>();

/**
 * A name under which PostgreSQL keeps the parsed and planned statement on the connection. A text gets one when it is seen
 * for the second time, so that statements with a shape of their own do not fill the connections.
 */
export function statementName(sql: string): string | undefined {
  const name = names.get(sql);
  if (name !== undefined || names.size >= maxNames || sql.length > maxLength) return name;
  const isKnown = names.has(sql);
  names.set(sql, isKnown ? `s_${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}` : undefined);
  return names.get(sql);
}
