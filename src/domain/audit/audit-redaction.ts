/**
 * What an audit row may never show (S4-24), decided by the name of the field, by rules of single resources, and in
 * addition by the form of a value. Redaction happens before anything is written, so it cannot be undone.
 */

/** What a resource adds to the names below. Names are field names, at any depth. */
interface RedactionRule {
  /** Hidden although its name looks harmless. */
  readonly hide?: readonly string[];
  /** Shown although its name looks like a secret. */
  readonly show?: readonly string[];
}

/** Rules by `resource_type`. A feature whose fields need one adds a line here. */
export const redactionRules: Readonly<Record<string, RedactionRule>> = {
  tenant: { show: ['code'] },
  role: { show: ['code'] },
  integration: { show: ['secret_fingerprint', 'secret_changed_at'] },
  product: { show: ['code'] },
  agent: { show: ['code'] },
  policy: { show: ['code'] },
};

export const redacted = '[redacted]';
/** Replaces the new one of two hidden values that differ: the fact of the change is no secret. */
export const redactedChange = '[redacted, changed]';

/** Ends of a name, written together, that mark a secret even in front of `=` or `:` inside a text. */
const proseStems = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'secretkey',
  'token',
  'apikey',
  'privatekey',
  'signingkey',
  'encryptionkey',
  'accesskey',
  'credential',
  'credentials',
  'cookie',
  'recoverycode',
  'backupcode',
  'mfacode',
  'cardnumber',
];
const proseWords = new Set(['pwd', 'otp', 'totp', 'jwt', 'cvv', 'cvc', 'cpf']);

/** Parts of a field's name, written together, that mark a secret wherever they stand (`user_password_old`, `apiKeys`). */
const secretStems = [...proseStems, 'authorization', 'otpauth', 'accountnumber', 'ciphertext'];

/** Whole words of a field's name that mark a secret or a personal number. */
const secretWords = new Set([
  ...proseWords,
  'hash',
  'hashes',
  'salt',
  'pin',
  'bearer',
  'ssn',
  'aadhaar',
  'pan',
  'passport',
  'iban',
]);

/** Names that are secret only when nothing else is in them: `code`, but not `country_code`. */
const secretNames = new Set(['code', 'codes', 'key_material', 'seed']);

/** Last words that make a name a fact about a secret instead of the secret (`password_changed_at`, `token_count`). */
const factEndings = new Set(['at', 'count', 'seconds', 'minutes', 'days', 'enabled']);

/** Whether a field of this name is hidden. */
export function isSecretName(name: string, rule: RedactionRule = {}): boolean {
  if (rule.hide?.includes(name) === true) return true;
  if (rule.show?.includes(name) === true) return false;
  let secret = secretByName.get(name);
  if (secret === undefined) {
    secret = matchesSecretName(name);
    if (secretByName.size < maxCachedNames) secretByName.set(name, secret);
  }
  return secret;
}

/** The same few hundred field names recur; the bound is for names that come from outside. */
const secretByName = new Map<string, boolean>();
const maxCachedNames = 2_000;

function matchesSecretName(name: string): boolean {
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last !== undefined && factEndings.has(last)) return false;
  const joined = words.join('');
  return (
    secretNames.has(words.join('_')) ||
    words.some((word) => secretWords.has(word)) ||
    secretStems.some((stem) => joined.includes(stem))
  );
}

/** Secrets that are recognised by their form, whatever the field is called. */
const secretPatterns: readonly RegExp[] = [
  // JSON Web Tokens, with or without signature
  /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\$(?:argon2(?:id|i|d)|2[aby]|scrypt)\$[^\s"']+/g,
  /\botpauth:\/\/[^\s"']+/gi,
  /\b(?:bearer|basic)\s+[\w.~+/-]{8,}=*/gi,
  // our own service tokens
  /\bcst_[\w-]{12,}/g,
  // keys of well-known services
  /\b(?:[spr]k_(?:live|test)|gh[pousr]|xox[abprs]|AKIA|whsec|glpat)[_-]?[\w-]{12,}/g,
  // a CPF as people write it
  /\b\d{3}\.\d{3}\.\d{3}-\d{2}\b/g,
];
/** Addresses that are a way in for whoever knows them: hooks of others, and our own links for people without an account. */
const addressPattern = /(\/\/hooks\.slack\.com\/(?:services|workflows|triggers)\/|\/onboarding\/o\/|\/account-link#)[^\s"'?<>]+/gi;
/** Passwords inside addresses and secrets inside query strings: the name stays, the value goes. */
const userInfoPattern = /(\/\/[^\s/:@]*:)[^\s/@]+@/g;
const queryPattern = /([?&]([\w.-]+)=)([^&#\s]+)/g;
/** `password=…`, `api_key: "…"` in prose, logs and connection strings: the name and up to one blank, then the value. */
const assignmentPattern = /(?<![?&\w.-])((["']?)([a-z][\w.-]{0,59})\2\s?[=:]\s?)("[^"]*"|'[^']*'|[^\s,;&"'<>(){}[\]]+)/gi;
/** Digits as they are printed on a card; Luhn's check digit tells a card from another number. */
const cardPattern = /(?<![\d.-])[2-6]\d{3}(?:[ -]?\d){8,14}\d(?![\d-]|\.\d)/g;

/** The deepest nesting that is written; deeper values are cut, which also ends a cycle. */
const maxDepth = 12;

/** Whether a text shows a secret by its form or by the name in front of it. */
export function holdsSecret(text: string): boolean {
  return redactText(text, {}) !== wellFormed(text);
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
      return redactText(plain, rule);
    case 'number':
      return Number.isFinite(plain) ? plain : String(plain);
    case 'bigint':
      return plain.toString();
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

function redactText(text: string, rule: RedactionRule): string {
  const embedded = parseJsonObject(text);
  if (embedded !== null) return JSON.stringify(redact(embedded, undefined, rule, 1));
  let visible = wellFormed(text);
  for (const pattern of secretPatterns) visible = visible.replace(pattern, redacted);
  return visible
    .replace(addressPattern, `$1${redacted}`)
    .replace(userInfoPattern, `$1${redacted}@`)
    .replace(queryPattern, (whole, start: string, name: string) =>
      isSecretName(name, rule) ? `${start}${redacted}` : whole,
    )
    .replace(assignmentPattern, (whole, start: string, _quote: string, name: string, value: string) =>
      namesSecretInProse(name) && value !== redacted ? `${start}${redacted}` : whole,
    )
    .replace(cardPattern, (digits) => (isCardNumber(digits) ? redacted : digits));
}

/** As a field, `code` or `pan` is hidden; in prose (`exit code: 1`) only what can mean nothing else is. */
function namesSecretInProse(name: string): boolean {
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last === undefined || factEndings.has(last)) return false;
  const joined = words.join('');
  return words.some((word) => proseWords.has(word)) || proseStems.some((stem) => joined.endsWith(stem));
}

/** Luhn's formula (ISO/IEC 7812-1), for 13 to 19 digits. */
function isCardNumber(text: string): boolean {
  const digits = [...text.replaceAll(/[ -]/g, '')].map(Number).reverse();
  if (digits.length < 13 || digits.length > 19) return false;
  const sum = digits.reduce((total, digit, place) => total + (place % 2 === 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9), 0);
  return sum % 10 === 0;
}

/** JSON inside a string is redacted as well: request bodies and payloads are often recorded that way. */
function parseJsonObject(text: string): object | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
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

/** `recoveryCodes2`, `recovery_codes` and `Recovery-Codes` are the same words. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}
