import canonicalize from 'canonicalize';

/** Any value that JSON can carry. `undefined`, functions, dates and non-finite numbers are not among them. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object; its members are JSON values. */
export interface JsonObject {
  readonly [member: string]: JsonValue;
}

/** True for a JSON object; arrays are none. */
export function isJsonObject(value: JsonValue | null | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The one text of a JSON value: RFC 8785 (JSON Canonicalization Scheme). Members are ordered by UTF-16 code units,
 * numbers have the shortest ECMAScript form, nothing stands between tokens, so equal values give equal bytes and a
 * digest over them can be recomputed by anyone. Members whose value is `undefined` are left out, as in JSON.
 *
 * @throws TypeError when the value has no JSON form (a non-finite number, `undefined` at the top, a cycle).
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('the value has no JSON form');
  return text;
}

/** True when both values have the same canonical JSON, that is, when their digests are equal. */
export function sameJson(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right);
}
