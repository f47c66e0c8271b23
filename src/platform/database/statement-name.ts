import { createHash } from 'node:crypto';

/** Statements that each connection may keep prepared: far more than the routes have, few enough for the server's memory. */
const maxNames = 1_000;
/** Texts that were used once; the second use gets a name. */
const maxCandidates = 1_000;
/** Longer texts are bulk statements, whose shape changes with the number of their rows. */
const maxLength = 8_192;
/** Lengths of a list that are prepared: enough for lists of constants, which have one. */
const maxLengthsOfList = 2;

const names = new Map<string, string>();
/** In the order of their use; the oldest is evicted. */
const candidates = new Set<string>();
const lengthsOfList = new Map<string, number>();

/**
 * A name under which PostgreSQL keeps the parsed and planned statement on the connection. A text gets one when it is seen
 * for the second time. Texts that hardly come back must not take the places of those that do: what was seen once is
 * forgotten again, and of texts that differ in the number of their rows or of the values in a list only the first two get
 * a name.
 */
export function statementName(sql: string): string | undefined {
  const name = names.get(sql);
  if (name !== undefined || names.size >= maxNames || sql.length > maxLength) return name;
  if (!candidates.delete(sql)) {
    if (candidates.size >= maxCandidates) candidates.delete(candidates.values().next().value ?? '');
    candidates.add(sql);
    return undefined;
  }
  if (!takesPlaceOfList(sql)) return undefined;
  const given = `s_${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}`;
  names.set(sql, given);
  return given;
}

/** Equal rows of an `insert`; a row may hold calls, e.g. `now()`. */
const repeatedRow = /(\((?:[^()]|\([^()]*\))*\))(?:, \1)+/g;

/** @returns false when enough lengths of this statement's lists are prepared already. */
function takesPlaceOfList(sql: string): boolean {
  const shape = sql.replace(/\$\d+/g, '$').replace(/\$(?:, \$)+/g, '$').replace(repeatedRow, '$1');
  const lengths = lengthsOfList.get(shape) ?? 0;
  if (lengths >= maxLengthsOfList) return false;
  lengthsOfList.set(shape, lengths + 1);
  return true;
}
