import { sameJson } from '../shared/canonical.ts';
import type { JsonObject, JsonValue } from '../shared/canonical.ts';
import { threeWayDiff } from '../shared/three-way-diff.ts';
import { pointerToken } from '../shared/json-pointer.ts';

/** What replaces a secret in a document: a mask of one length for all, and a keyed fingerprint (S2-58). */
interface MaskedSecret extends JsonObject {
  readonly $secret: typeof secretMask;
  readonly fingerprint: string;
}

const secretMask = '********';

/** Values of the secrets of a document, by JSON pointer (RFC 6901). */
export type SecretValues = Readonly<Record<string, JsonValue>>;

/** The masked form of a secret. */
export function maskedSecret(fingerprint: string): MaskedSecret {
  return { $secret: secretMask, fingerprint };
}

/** True for the mask of a secret, which was read and is sent back unchanged. */
export function isMaskedSecret(value: JsonValue | undefined): value is MaskedSecret {
  return isObject(value) && value['$secret'] === secretMask && typeof value['fingerprint'] === 'string';
}

/** The text that a secret's fingerprint is made of: a string itself, anything else as JSON. */
function secretText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Every pointer of a document with its value, outermost first. */
function walk(value: JsonValue, pointer: string, change: (pointer: string, value: JsonValue) => JsonValue): JsonValue {
  const changed = change(pointer, value);
  if (changed !== value) return changed;
  if (Array.isArray(value)) {
    return value.map((item: JsonValue, index) => walk(item, `${pointer}/${index}`, change));
  }
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [
    name,
    walk(member, `${pointer}/${pointerToken(name)}`, change),
  ]);
  return Object.fromEntries(members) as JsonObject;
}

/**
 * Splits a document into its masked form and the secrets at the given pointers; of nested ones the outermost counts.
 */
export function splitSecrets(
  document: JsonValue,
  pointers: ReadonlySet<string>,
  fingerprint: (text: string) => string,
): { masked: JsonValue; secrets: Record<string, JsonValue> } {
  const secrets: Record<string, JsonValue> = {};
  const masked = walk(document, '', (pointer, value) => {
    if (!pointers.has(pointer)) return value;
    secrets[pointer] = value;
    return maskedSecret(fingerprint(secretText(value)));
  });
  return { masked, secrets };
}

/** The document with its secrets in place of their masks. */
export function joinSecrets(masked: JsonValue, secrets: SecretValues): JsonValue {
  return walk(masked, '', (pointer, value) =>
    isMaskedSecret(value) && Object.hasOwn(secrets, pointer) ? (secrets[pointer] ?? null) : value,
  );
}

/**
 * Replaces masks that were sent back by the secrets they were read for, so that a document can be changed without
 * knowing its secrets.
 *
 * @param known the masked document they were read from
 * @returns the document, and the pointers of masks that are none of the known document's.
 */
export function resolveKeptSecrets(
  document: JsonValue,
  known: JsonValue,
  secrets: SecretValues,
): { document: JsonValue; unknown: string[] } {
  const unknown: string[] = [];
  const masks = masksOf(known);
  const resolved = walk(document, '', (pointer, value) => {
    if (!isMaskedSecret(value)) return value;
    const mask = masks.get(pointer);
    if (mask !== undefined && mask.fingerprint === value.fingerprint && Object.hasOwn(secrets, pointer)) {
      return secrets[pointer] ?? null;
    }
    unknown.push(pointer);
    return value;
  });
  return { document: resolved, unknown };
}

/** The fingerprints in a masked document. */
export function fingerprintsIn(document: JsonValue): string[] {
  return [...masksOf(document).values()].map(({ fingerprint }) => fingerprint);
}

function masksOf(document: JsonValue): Map<string, MaskedSecret> {
  const masks = new Map<string, MaskedSecret>();
  walk(document, '', (pointer, value) => {
    if (isMaskedSecret(value)) masks.set(pointer, value);
    return value;
  });
  return masks;
}

/** One place at which two documents differ; an absent member means that the side has nothing there. */
export interface ConfigDifference {
  readonly path: string;
  readonly current?: JsonValue;
  readonly proposed?: JsonValue;
}

/** What a proposed document would change. Secrets are compared by their fingerprints. */
export function configDifferences(current: JsonValue | null, proposed: JsonValue): ConfigDifference[] {
  const base = current ?? {};
  if (sameJson(base, proposed)) return [];
  const isOfSecret = (path: string) => /\/(\$secret|fingerprint)$/.test(path);
  const differences = threeWayDiff(base, base, proposed).map(({ path, current: before, proposed: after }) => ({
    path,
    ...(before === undefined ? {} : { current: before }),
    ...(after === undefined ? {} : { proposed: after }),
  }));
  return differences.map((difference) => {
    const parent = difference.path.replace(/\/[^/]*$/, '');
    const [before, after] = [valueAt(base, parent), valueAt(proposed, parent)];
    if (!isOfSecret(difference.path) || !isMaskedSecret(before) || !isMaskedSecret(after)) return difference;
    return { path: parent, current: before, proposed: after };
  });
}

function valueAt(document: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
