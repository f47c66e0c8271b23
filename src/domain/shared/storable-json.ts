import { pointerToken } from './json-pointer.ts';

/** Levels of objects and arrays in each other; far more than anybody writes, far fewer than what recursion takes. */
const maxJsonDepth = 100;

/** A part of a JSON value that cannot be stored. */
interface UnstorablePart {
  /** JSON pointer (RFC 6901); of the object, where it is the name of a field. */
  readonly pointer: string;
  readonly detail: string;
}

/**
 * Whether a text can be stored as it was sent: PostgreSQL knows neither U+0000 nor half of a surrogate pair, and U+FFFD stands for
 * bytes that were not UTF-8, which are lost.
 */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && !text.includes('\ufffd') && text.isWellFormed();
}

/**
 * Whether a value is nested deeper than what can be stored. It takes no recursion, which such a value would exhaust:
 * `JSON.parse` accepts a depth at which `JSON.stringify` throws.
 */
export function isTooDeep(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxJsonDepth) return true;
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? (Object.values(value) as unknown[]) : []));
  }
  return false;
}

/** Whether a text of JSON is worth a look by {@link unstorableParts}: such characters stand as escapes in it, or as U+FFFD. */
export function mayBeUnstorable(json: string): boolean {
  return json.includes('\\u') || json.includes('\ufffd') || (json.match(/[[{]/g)?.length ?? 0) > maxJsonDepth;
}

/** What of a JSON value cannot be stored, by its characters or by its depth. */
export function unstorableParts(root: unknown): UnstorablePart[] {
  const parts: UnstorablePart[] = [];
  look(root, '', 0);
  return parts;

  function look(value: unknown, pointer: string, depth: number): void {
    if (typeof value === 'string') {
      if (!isStorable(value)) parts.push({ pointer, detail: 'This holds a character that cannot be stored.' });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (depth === maxJsonDepth) {
      parts.push({ pointer, detail: `This is nested more than ${maxJsonDepth} levels deep.` });
      return;
    }
    if (!Array.isArray(value) && !Object.keys(value).every(isStorable)) {
      parts.push({ pointer, detail: 'A name in this holds a character that cannot be stored.' });
    }
    for (const [name, inner] of Object.entries(value)) look(inner, `${pointer}/${pointerToken(name)}`, depth + 1);
  }
}
