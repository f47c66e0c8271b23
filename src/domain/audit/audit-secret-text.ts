/**
 * Secrets inside texts (S2-58, T-16): by their form, as parts of addresses, and behind names. Patterns are linear in the text:
 * they begin at one place of a word, or what they repeat is bounded.
 */
import { decodedSigns, looksLikeCredential, maskNamedSecrets } from './audit-secret-assignments.ts';
import { redacted } from './audit-secret-names.ts';
import type { RedactionRule } from './audit-secret-names.ts';

/** Secrets that nothing else has the form of. */
const formPatterns: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)/g,
  /\$(?:argon2(?:id|i|d)|2[aby]|scrypt)\$[^\s"']+/g,
  /\botpauth:\/\/[^\s"']+/gi,
  // our own service tokens: the prefix, two ids in hex, 32 bytes as base64url
  /(?<![a-z0-9])cst_[0-9a-f]{64}[\w-]{43}/gi,
];
/** Words joined by points; one of them may begin a JSON Web Token. */
const pointedPattern = /(?<![\w-])[\w-]+(?:\.[\w-]*)+/g;
const schemePattern = /\b(bearer|basic)\s+([^\s"'`,;<>]{6,})/gi;
/** An encrypted token has five parts, a signed one three. */
const maxTokenParts = 5;
/** Keys of well-known services. */
const serviceKeyPattern = /(?<![a-z0-9])(?:[spr]k_(?:live|test)|gh[pousr]|github_pat|xox[abeprs]|xapp|AKIA|ASIA|AIza|sk-(?:ant|proj)|whsec|glpat)[_-]?([\w+/=-]{12,})/gi;
/** A CPF as people write it, and as eleven digits; after a plus they are a phone number. */
const cpfPattern =
  /(?<![\d.-])\d{3}([. \u00a0])\d{3}\1\d{3}[- /]\d{2}(?![\d-])|(?<![\w+.-])\d{11}(?!\w|[.-]\d)/g;

/** Addresses that are a way in for whoever knows them: hooks of others, and our own links for people without an account. */
const addressPattern =
  /(\/\/hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)\/|\/\/hooks\.zapier\.com\/hooks\/catch\/|\/\/[\w.-]{1,200}office(?:365)?\.com\/webhook(?:b2)?\/|\/onboarding\/o\/|\/account-link#)[^\s"'?<>]+/gi;
/** Of these the last part is the token (Discord), or what follows the number (Telegram). */
const addressPartPattern = /(\/api\/(?:v\d{1,3}\/)?webhooks\/\d{1,30}\/|\/bot\d{1,30}:)[^\s"'?#<>/]+/gi;
/** What stands in front of the host, up to the last `@` of this part of the address. */
const userInfoPattern = /(?<=[a-z0-9]):\/\/((?:[^\s/?#"]|"(?![,:;}\])\s]|$))*)@/gi;
/** A password that holds a sign which ends the host: what follows the colon is no port. */
const oddPasswordPattern = /(?<=[a-z0-9]:\/\/[^\s/?#:@"[]{0,100}:)(?!\d{0,5}(?:[/?#\s"',;)]|$))[^\s"]{1,256}@/gi;

/** Hides what is secret in a text by its form, as a part of an address, or by the name in front of it. */
export function maskSecrets(text: string, rule: RedactionRule): string {
  const visible = maskReadable(text, rule);
  return visible.includes('%') ? maskEncoded(visible, rule) : visible;
}

function maskReadable(text: string, rule: RedactionRule): string {
  let visible = text;
  for (const pattern of formPatterns) visible = visible.replace(pattern, redacted);
  visible = visible
    .replace(pointedPattern, withoutWebToken)
    .replace(schemePattern, (whole, scheme: string, value: string) => (isCredentialOf(scheme, value) ? redacted : whole))
    .replace(serviceKeyPattern, (whole, key: string) => (/\d|[a-z][A-Z]|[a-z]{16}/.test(key) ? redacted : whole))
    .replace(cpfPattern, (digits) => (isCpf(digits) ? redacted : digits))
    .replace(addressPattern, `$1${redacted}`)
    .replace(addressPartPattern, `$1${redacted}`);
  if (visible.includes('@')) visible = maskUserInfo(visible);
  return maskCards(maskNamedSecrets(visible, rule));
}

function maskUserInfo(text: string): string {
  return text
    .replace(userInfoPattern, (whole, user: string, place: number, all: string) => withoutPassword(whole, user, all.slice(0, place)))
    .replace(oddPasswordPattern, `${redacted}@`);
}

/** Words that show a secret once their percent-encoding is read: an address inside an address, `%2F` in a path. */
function maskEncoded(text: string, rule: RedactionRule): string {
  return text.replaceAll(/[^\s"'<>]+/g, (word) => {
    if (!word.includes('%')) return word;
    const decoded = decodedSigns(decodedSigns(decodedSigns(word)));
    const visible = maskReadable(decoded, rule);
    return visible === decoded ? word : visible;
  });
}

/** JSON Web Tokens, signed, unsigned or encrypted: the first part is a JSON object as base64url. */
function withoutWebToken(run: string): string {
  const parts = run.split('.');
  for (const [place, part] of parts.entries()) {
    const start = part.search(/(?<![A-Za-z0-9])e[wy][0-9A-Za-z][\w-]{8}/);
    if (start < 0 || (parts[place + 1] ?? '') === '' || !isJsonObject(decodedBase64(part.slice(start)))) continue;
    return [...parts.slice(0, place), `${part.slice(0, start)}${redacted}`, ...parts.slice(place + maxTokenParts)].join('.');
  }
  return run;
}

function isJsonObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

/** Basic credentials are `name:password` as base64 (RFC 7617); `Basic TypeScript` is not. */
function isCredentialOf(scheme: string, value: string): boolean {
  if (scheme.toLowerCase() === 'bearer') return looksLikeCredential(value);
  return /^\P{Cc}*:\P{Cc}*$/u.test(decodedBase64(value)) || (value.length >= 16 && looksLikeCredential(value));
}

/** One character a byte; empty where the text is no base64. */
function decodedBase64(text: string): string {
  try {
    return atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return '';
  }
}

/** The user stays where only the password is secret. Without a password, or as a key, the user is the secret. */
function withoutPassword(whole: string, user: string, before: string): string {
  const colon = user.indexOf(':');
  const name = colon < 0 ? user : user.slice(0, colon);
  const isKey = name.length >= 10 && looksLikeCredential(name);
  const isWeb = /(?:https?|wss?)$/i.test(before.slice(-8));
  if (name === redacted && colon < 0) return whole;
  if (isKey || (colon < 0 ? isWeb : user.length === colon + 1)) return `://${redacted}@`;
  return colon < 0 ? whole : `://${name}:${redacted}@`;
}

/** Digits in groups; a sign, or a few, may stand between the groups. `%20` is a blank in an address. */
const digitsPattern = /\d+(?:(?:[^\S\r\n]|%20|[.\-/+_\u00ad\u200b-\u200d\u2010-\u2015\u2060]){1,3}\d+)*/g;
/** The first digits of issuers, the lengths of their numbers, and whether only numbers in groups of four count. */
const issuers: readonly { readonly start: RegExp; readonly lengths: readonly number[]; readonly inFours?: true }[] = [
  { start: /^4/, lengths: [13, 16, 19] },
  { start: /^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]|60|65|81|82|508)/, lengths: [16] },
  { start: /^3[47]/, lengths: [15] },
  { start: /^3[0689]/, lengths: [14, 15, 16, 17, 18, 19] },
  { start: /^(?:6011|64[4-9]|65|35|62)/, lengths: [16, 17, 18, 19] },
  { start: /^(?:50|5[6-9]|6)/, lengths: [12, 13, 14, 15, 16, 17, 18, 19], inFours: true },
];

/** One group of digits. */
interface DigitGroup {
  readonly digits: string;
  readonly start: number;
}

/** Hides the numbers of cards, with the few digits that follow: date and check number. */
export function maskCards(text: string): string {
  return text.replace(digitsPattern, (chain) => {
    if (chain.length < 12) return chain;
    const groups = [...chain.matchAll(/%20|\d+/g)]
      .filter(([digits]) => digits !== '%20')
      .map((match): DigitGroup => ({ digits: match[0], start: match.index }));
    let visible = '';
    let done = 0;
    for (let first = 0; first < groups.length; first += 1) {
      const afterCard = endOfCard(chain, groups, first);
      if (afterCard === null) continue;
      let last = afterCard;
      while (last < groups.length && last < afterCard + 3 && (groups[last]?.digits.length ?? 0) <= 4) last += 1;
      const { digits, start } = groups[last - 1] ?? { digits: '', start: 0 };
      visible += `${chain.slice(done, groups[first]?.start)}${redacted}`;
      done = start + digits.length;
      first = last - 1;
    }
    return visible + chain.slice(done);
  });
}

/** The group behind the longest card that begins with this group; null when none does. */
function endOfCard(chain: string, groups: readonly DigitGroup[], first: number): number | null {
  const { start: begin = 0 } = groups[first] ?? {};
  // Digits behind a point are a fraction (`0.4111…`).
  const isFraction = first > 0 && chain.charAt(begin - 1) === '.';
  let number = '';
  let after: number | null = null;
  const lengths: number[] = [];
  for (const [place, { digits, start }] of groups.slice(first, first + 19).entries()) {
    number += digits;
    lengths.push(digits.length);
    if (number.length > 19) break;
    if (number.length < 12 || (place === 0 && isFraction)) continue;
    const isDecimal = place === 1 && chain.slice(begin, start).endsWith('.');
    if (!isDecimal && isPrintedLike(lengths) && isCardNumber(number, lengths)) after = first + place + 1;
  }
  return after;
}

/** Whether cards are printed or typed in groups of these lengths: one, two, groups of one length, or 4-6-5. */
function isPrintedLike(lengths: readonly number[]): boolean {
  const [size = 0] = lengths;
  const last = lengths.at(-1) ?? 0;
  if (lengths.length === 1) return true;
  if (lengths.length === 2) return size >= 3 && last >= 3;
  const isAmex = lengths.length === 3 && size === 4 && lengths[1] === 6;
  return isAmex || (size >= 3 && last <= size + 1 && lengths.slice(0, -1).every((length) => length === size));
}

/** First digits and length of an issuer, and Luhn's formula (ISO/IEC 7812-1). */
function isCardNumber(number: string, groups: readonly number[]): boolean {
  const isGrouped = groups.length > 1 && groups.slice(0, -1).every((length) => length === 4);
  const isIssued = issuers.some(
    ({ start, lengths, inFours }) => (inFours === undefined || isGrouped) && lengths.includes(number.length) && start.test(number),
  );
  if (!isIssued) return false;
  const digits = [...number].map(Number).reverse();
  const sum = digits.reduce((total, digit, place) => total + (place % 2 === 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9), 0);
  return sum % 10 === 0;
}

/** Both check digits of a CPF are right. */
function isCpf(text: string): boolean {
  const digits = [...text.replaceAll(/\D/g, '')].map(Number);
  const isRight = (length: number) => {
    const sum = digits.slice(0, length).reduce((total, digit, place) => total + digit * (length + 1 - place), 0);
    return ((sum * 10) % 11) % 10 === digits[length];
  };
  return isRight(9) && isRight(10);
}
