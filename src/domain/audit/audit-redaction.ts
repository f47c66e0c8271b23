/**
 * What an audit row may never show (S4-24), decided by the name of the field, by rules of single resources, and in
 * addition by the form of a value. Redaction happens before anything is written, so it cannot be undone.
 */
import { isSecretName, redacted } from './audit-secret-names.ts';
import type { RedactionRule } from './audit-secret-names.ts';
import { maskCards, maskSecrets } from './audit-secret-text.ts';

/** Rules by `resource_type`. A feature whose fields need one adds a line here. */
export const redactionRules: Readonly<Record<string, RedactionRule>> = {
  tenant: { show: ['code'] },
  role: { show: ['code'] },
  integration: { show: ['secret_fingerprint', 'secret_changed_at'] },
  product: { show: ['code'] },
  agent: { show: ['code'] },
  policy: { show: ['code'] },
};

/** Replaces the new one of two hidden values that differ: the fact of the change is no secret. */
export const redactedChange = '[redacted, changed]';

/** The deepest nesting that is written; deeper values are cut, which also ends a cycle. */
const maxDepth = 12;

/** A text without what is secret in it by its form or by the name in front of it, and well-formed. */
export function withoutSecrets(text: string): string {
  return redactText(text, {}, 0);
}

/** Whether a text shows a secret by its form or by the name in front of it. */
export function holdsSecret(text: string): boolean {
  return withoutSecrets(text) !== wellFormed(text);
}

/** Hides what is secret in the states before and after an operation and makes them plain, well-formed JSON. */
export function redactChange(
  values: { readonly old_values?: unknown; readonly new_values?: unknown },
  rule: RedactionRule = {},
): { old_values: unknown; new_values: unknown } {
  return {
    old_values: redact(values.old_values, undefined, rule, 0),
    new_values: redact(values.new_values, values.old_values, rule, 0),
  };
}

function redact(value: unknown, before: unknown, rule: RedactionRule, depth: number): unknown {
  if (depth > maxDepth) return '[too deep]';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  const plain = hasToJson(value) ? value.toJSON() : value;
  switch (typeof plain) {
    case 'string':
      return redactText(plain, rule, depth);
    case 'number':
      return Number.isFinite(plain) ? redactNumber(plain) : String(plain);
    case 'bigint':
      return maskCards(plain.toString());
    case 'boolean':
      return plain;
    case 'object':
      return plain === null ? null : redactObject(plain, before, rule, depth);
    case 'undefined':
    case 'function':
    case 'symbol':
      return null;
  }
}

/** A card's number is one as a number too. The shortest card has twelve digits. */
function redactNumber(value: number): unknown {
  if (Math.abs(value) < 1e11) return value;
  const text = String(value);
  return maskCards(text) === text ? value : redacted;
}

function redactObject(value: object, before: unknown, rule: RedactionRule, depth: number): unknown {
  if (Array.isArray(value)) {
    return value.map((item: unknown, place) => redact(item, memberOf(before, String(place)), rule, depth + 1));
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    members.map(([name, member]) => {
      const earlier = memberOf(before, name);
      const visible = isSecretName(name, rule)
        ? hide(member, earlier)
        : redact(member, earlier, rule, depth + 1);
      return [wellFormed(name), visible];
    }),
  );
}

/** Whether a secret is set is no secret: `true`, `false` and null are shown as they are. */
function hide(value: unknown, before: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  const changed = before !== undefined && before !== null && !sameValue(value, before);
  return changed ? redactedChange : redacted;
}

function sameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  // Compared only to say "changed"; values that do not serialise count as different.
  try {
    return JSON.stringify(left) === JSON.stringify(right);
  } catch {
    return false;
  }
}

function redactText(text: string, rule: RedactionRule, depth: number): string {
  const embedded = parseJsonObject(text);
  if (embedded !== null) return JSON.stringify(redact(embedded, undefined, rule, depth + 1));
  return maskSecrets(wellFormed(text), rule);
}

/**
 * JSON inside a string is redacted as well: request bodies and payloads are often recorded that way. Integers beyond 2^53
 * become texts, because the digits of a number would no longer be those that were written.
 */
function parseJsonObject(text: string): object | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text, (_name, member: unknown, context?: { readonly source?: string }) =>
      Number.isInteger(member) && !Number.isSafeInteger(member) ? context?.source : member,
    );
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** PostgreSQL refuses NUL and RFC 8785 refuses lone surrogates; both become U+FFFD. */
export function wellFormed(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function';
}
