/** Which names of fields, settings and query members mark a secret (S4-24, S2-58). */

/** What stands in the place of a secret. */
export const redacted = '[redacted]';

/** What a resource adds to the names below. Names are field names, at any depth. */
export interface RedactionRule {
  /** Hidden although its name looks harmless. */
  readonly hide?: readonly string[];
  /** Shown although its name looks like a secret. */
  readonly show?: readonly string[];
}

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

/** Letters without which no name is one of these; most words in front of a colon have none of them. */
const proseLetters = /pass|secret|token|key|cred|cookie|code|number|pwd|otp|jwt|cvv|cvc|cpf/i;

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

/** Last words of the query members that authorise a request: signatures of stores of files, keys of interfaces. */
const authorisingWords = new Set(['sig', 'signature', 'hmac', 'auth', 'pass', 'passcode', 'authorization']);

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

/** As a field, `code` or `pan` is hidden; in prose (`exit code: 1`) only what can mean nothing else is. */
export function namesSecretInProse(name: string): boolean {
  if (!proseLetters.test(name)) return false;
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last === undefined || factEndings.has(last)) return false;
  const joined = words.join('');
  return (
    words.some((word) => proseWords.has(word)) ||
    proseStems.some((stem) => joined.endsWith(stem)) ||
    (last === 'pass' && words.length > 1)
  );
}

/**
 * What the name of a query member says of its value: `secret`, `perhaps` where the value has to look like a secret too
 * (`code=200`, `sort_key=name`, `token_type=Bearer`), or `harmless`. Only whole words count: `tokenize` is none.
 */
export function secrecyOfMember(name: string, rule: RedactionRule): 'secret' | 'perhaps' | 'harmless' {
  if (rule.hide?.includes(name) === true) return 'secret';
  if (rule.show?.includes(name) === true) return 'harmless';
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last === undefined || factEndings.has(last)) return 'harmless';
  if (namesSecretInProse(name) || authorisingWords.has(last)) return 'secret';
  if (name.toLowerCase() === 'key' || words.some((word) => secretWords.has(word))) return 'secret';
  const isDoubtful = last === 'key' || secretNames.has(words.join('_')) || holdsStem(words);
  return isDoubtful ? 'perhaps' : 'harmless';
}

/** Whether consecutive whole words are a stem or its plural. */
function holdsStem(words: readonly string[]): boolean {
  return words.some((word, place) =>
    [word, `${word}${words[place + 1] ?? ''}`].some((part) => secretStems.includes(part) || secretStems.includes(part.replace(/s$/, ''))),
  );
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
