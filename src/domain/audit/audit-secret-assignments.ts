/**
 * Secrets in texts that are recognised by the name in front of them: `password=…`, `"api_key": "…"`, `--token …`, query
 * members, headers, XML elements. The name stays, the value goes.
 *
 * Texts come from outside and are long. Each pattern here begins at one place of a word or repeats a bounded number of times,
 * and the end of a value is searched once, so that the time grows with the length of the text only.
 */
import { namesSecretInProse, redacted, secrecyOfMember } from './audit-secret-names.ts';
import type { RedactionRule } from './audit-secret-names.ts';

/** A name, what closes its quotes, and its separator with the blanks around it; the value follows. */
const assignmentPattern =
  /(?<![^\s=:&?#,;"'`<>(){}|\\])([^\s=:&?#,;"'`<>(){}|\\]+)((?:\\{0,16}["'`][\])]{0,2})?)[^\S\r\n]*(=>|:=|={1,3}>?|:)(?!:|\/\/)(\s*)/g;
const optionPattern = /(?<!\S)(--?([a-z][\w-]{2,60})[^\S\r\n]+)("[^"]*"|'[^']*'|[^\s-]\S*)/gi;
const elementPattern = /(<([\w.:-]{1,60})(?:\s[^<>]{0,200})?>)(?:<!\[CDATA\[)?[^<]+(?=<\/)/g;

/** A value that is hidden already, here or by its form. */
const hiddenValue = /\[redacted(?:, changed)?\](?![^\s&#"'`<>,;:)\]}.\\])/y;
/** Words of a permission (`secret:read`), which are no value of what stands in front of the colon. */
const permissionWord = /^(?:all|admin|create|delete|issue|list|manage|read|revoke|rotate|update|use|write)$/;
const headerName = /(?:authorization|cookie)$/i;
const authorizationScheme = /(?:apikey|basic|bearer|digest|hmac|jwt|key|negotiate|ntlm|oauth|signature|token|[A-Z][A-Za-z0-9-]*)[^\S\r\n]+(?=\S)/y;
/** Second words of names that people write in two words: `api key`, `recovery code`. */
const secondWords = new Set(['key', 'code', 'number']);

/** One name with a separator, and where it stands. */
interface Assignment {
  readonly name: string;
  readonly isQuoted: boolean;
  /** False for a colon. */
  readonly hasEquals: boolean;
  /** The blanks in front of the value. */
  readonly gap: string;
  readonly start: number;
  readonly valueStart: number;
}

/**
 * Whether a text reads as a credential and not as a word: it holds a digit, a capital after a small letter or a sign between
 * letters, or runs on for twenty letters, which hardly a word does.
 */
export function looksLikeCredential(text: string): boolean {
  return /\d|\p{Ll}\p{Lu}|\p{L}[!@#$%^&*+=~?|\\]+\p{L}|[\p{L}_-]{20}/u.test(text);
}

/** Hides the values behind names that mark a secret. */
export function maskNamedSecrets(text: string, rule: RedactionRule): string {
  return maskAssignments(text, rule)
    .replace(optionPattern, (whole, start: string, name: string, value: string) =>
      namesSecretInProse(name) && looksLikeCredential(value) ? `${start}${redacted}` : whole,
    )
    .replace(elementPattern, (whole, start: string, name: string) => (namesSecretInProse(name) ? `${start}${redacted}` : whole));
}

function maskAssignments(text: string, rule: RedactionRule): string {
  let visible = '';
  let done = 0;
  for (const match of text.matchAll(assignmentPattern)) {
    const [whole, name = '', closing, separator = '', gap = ''] = match;
    if (match.index < done) continue;
    const found: Assignment = {
      name: decodedName(name),
      isQuoted: closing !== '',
      hasEquals: separator.includes('='),
      gap,
      start: match.index,
      valueStart: match.index + whole.length,
    };
    const end = endOfSecret(text, found, rule);
    if (end === null || end <= found.valueStart) continue;
    visible += `${text.slice(done, found.valueStart)}${redacted}`;
    done = end;
  }
  return visible + text.slice(done);
}

/** Where the secret behind a name ends; null when there is none. */
function endOfSecret(text: string, found: Assignment, rule: RedactionRule): number | null {
  if (matchesAt(hiddenValue, text, found.valueStart)) return null;
  const before = text.charAt(found.start - 1);
  if (found.hasEquals && before !== '' && '?&#'.includes(before)) return endOfSecretMember(text, found, rule);
  if (headerName.test(found.name)) {
    const end = endOfHeader(text, found);
    if (end !== null) return end;
  }
  if (!namesSecretInProse(found.name) && !namesSecretInProse(withWordBefore(text, found))) return null;
  const end = endOfValue(text, found);
  return isSecretValue(text, found, end) ? end : null;
}

/** Of a query string or a fragment: `&` ends the value. */
function endOfSecretMember(text: string, found: Assignment, rule: RedactionRule): number | null {
  const { name, valueStart } = found;
  const secrecy = secrecyOfMember(name, rule);
  if (secrecy === 'harmless') return null;
  const end = /["'`]/.test(text.charAt(valueStart))
    ? endOfValue(text, found)
    : withoutClosing(text, valueStart, firstAt(/[\s&#"<>`|]/g, text, valueStart));
  const value = text.slice(valueStart, end);
  return secrecy === 'secret' || (value.length >= 6 && looksLikeCredential(value)) ? end : null;
}

/** Credentials of a header run to the end of the line or of the quotes around it. Null when it is no header. */
function endOfHeader(text: string, found: Assignment): number | null {
  const { name, start, valueStart, isQuoted, hasEquals } = found;
  if (text.startsWith(redacted, valueStart)) return valueStart;
  if (quoteLength(text, valueStart) > 0) return endOfValue(text, found);
  if (hasEquals) {
    if (!/authorization$/i.test(name)) return null;
    return endOfValue(text, { ...found, valueStart: endOfMatch(authorizationScheme, text, valueStart) ?? valueStart });
  }
  const quote = text.charAt(start - 1);
  const isEnclosed = !isQuoted && quote !== '' && `"'\``.includes(quote);
  const line = firstAt(/[\r\n]/g, text, valueStart);
  const end = isEnclosed ? Math.min(line, firstOf(text, quote, valueStart)) : line;
  const isHeader = /authorization$/i.test(name) || /^[^\s=]+=/.test(text.slice(valueStart, Math.min(end, valueStart + 200)));
  return isHeader ? withoutClosing(text, valueStart, end) : null;
}

/** With `=` a value is always meant; whether there is one is no secret. A colon also stands in sentences, where only what looks like a secret is one. */
function isSecretValue(text: string, found: Assignment, end: number): boolean {
  const { name, isQuoted, hasEquals, gap, valueStart } = found;
  const value = text.slice(valueStart, end);
  if (hasEquals && !/[\r\n]/.test(gap)) return !/^(?:null|undefined|none|true|false)$/i.test(value);
  if (!/[\p{L}\p{N}]/u.test(value)) return false;
  if (isQuoted || looksLikeCredential(value)) return true;
  // Parsers quote the token that they did not expect.
  if (quoteLength(value, 0) > 0 && !/token$/i.test(name)) return true;
  if (gap === '') return /pass|pwd/i.test(name) || !permissionWord.test(value);
  return !/[\r\n]/.test(gap) && standsAlone(text, found, end);
}

/** Whether name and value are a line or a member of a list by themselves, and no part of a sentence. */
function standsAlone(text: string, { start }: Assignment, end: number): boolean {
  const [, opening] = /(^|[\n{[(,;|"'`])[^\S\n]*(?:-[^\S\n]+)?$/.exec(start > 40 ? `.${text.slice(start - 40, start)}` : text.slice(0, start)) ?? [];
  if (opening === undefined) return false;
  const isLine = opening === '' || opening === '\n';
  return isLine ? matchesAt(/[^\S\r\n]*(?:[\r\n,;|]|$)/y, text, end) : matchesAt(/[^\S\r\n]*(?:[\r\n,;|)\]}"'`\\]|$)/y, text, end);
}

const closingOf: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
/** The longest value in brackets whose end is searched. */
const maxBracketed = 400;
/** What follows a comma, semicolon, pipe or ampersand that ends a value; any other one is a part of the value. */
const nextItem = /\s|$|[\\"'`)\]}>]|[\w.[\]%$@-]{1,64}["'`]?[^\S\r\n]{0,8}=|[\w.-]{1,64}:\s/y;
const plainSigns = /[^\s\\"'`,;&|([{<]+/y;
const quoteEnd = /\s|$|[,;:&|)\]}>]/y;

/** The end of a value: of its quotes or brackets, and else of the word. */
function endOfValue(text: string, { hasEquals, gap, valueStart }: Assignment): number {
  let at = valueStart;
  let opened = valueStart;
  while (at < text.length) {
    at = endOfMatch(plainSigns, text, at) ?? at;
    const sign = text.charAt(at);
    const quote = quoteLength(text, at);
    if (/^$|\s/.test(sign)) break;
    if (quote > 0 && at === opened) opened = at = endOfQuoted(text, at, quote);
    else if (quote > 0 && matchesAt(quoteEnd, text, at + quote)) break;
    else if (at === valueStart && closingOf[sign] !== undefined) opened = at = endOfBracketed(text, at, hasEquals || gap === '');
    else if (',;&|'.includes(sign) && matchesAt(nextItem, text, at + 1)) break;
    else at += sign === '\\' && quote === 0 ? 2 : 1;
  }
  const end = Math.min(at, text.length);
  const trimmed = withoutClosing(text, opened, end);
  return trimmed > valueStart ? trimmed : end;
}

/** Behind the closing quote, which has no more backslashes than the opening one; behind the line when it is never closed. */
function endOfQuoted(text: string, at: number, length: number): number {
  const quote = text.charAt(at + length - 1);
  const first = at + length;
  for (let place = text.indexOf(quote, first); place >= 0; place = text.indexOf(quote, place + 1)) {
    let slashes = 0;
    while (place - slashes > first && text.charAt(place - slashes - 1) === '\\') slashes += 1;
    if (length === 1 ? slashes % 2 === 0 : slashes < length) return place + 1;
  }
  return /\s|^$/.test(text.charAt(first)) ? first : firstAt(/[\r\n]/g, text, first);
}

/** Behind the bracket that closes; behind the opening one when there is none on the line. In a sentence, `(` opens a remark. */
function endOfBracketed(text: string, at: number, mayHoldBlanks: boolean): number {
  const opening = text.charAt(at);
  const closing = closingOf[opening];
  let depth = 0;
  for (let place = at; place < Math.min(text.length, at + maxBracketed); place += 1) {
    const sign = text.charAt(place);
    if (sign === '\n' || (sign === ' ' && !mayHoldBlanks && '(<'.includes(opening))) break;
    if (sign === opening) depth += 1;
    else if (sign === closing) depth -= 1;
    if (depth === 0) return place + 1;
  }
  return at + 1;
}

/** Leaves out the punctuation at the end of a word, which belongs to the sentence or to brackets around it. */
function withoutClosing(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && `)]}>.,;:'"\\`.includes(text.charAt(last - 1))) last -= 1;
  return last > start ? last : end;
}

/** The length of a quote with the backslashes in front of it; 0 where none stands. */
function quoteLength(text: string, at: number): number {
  return (endOfMatch(/\\{0,16}["'`]/y, text, at) ?? at) - at;
}

/** `key` behind `api`; the name by itself where it is not such a second word. */
function withWordBefore(text: string, { name, start }: Assignment): string {
  if (!secondWords.has(name.toLowerCase())) return name;
  const [, word = ''] = /([A-Za-z]+) $/.exec(text.slice(Math.max(0, start - 20), start)) ?? [];
  return `${word} ${name}`;
}

/** `to%6ben` is `token`; twice, because addresses are passed on in addresses. */
function decodedName(name: string): string {
  return name.includes('%') ? decodedSigns(decodedSigns(name)) : name;
}

/** Decodes the percent-encoded signs of ASCII that are visible: blanks stay encoded, so that a word remains one. */
export function decodedSigns(text: string): string {
  return text.replaceAll(/%(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e])/gi, (_whole, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function matchesAt(sticky: RegExp, text: string, at: number): boolean {
  return endOfMatch(sticky, text, at) !== null;
}

function endOfMatch(sticky: RegExp, text: string, at: number): number | null {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : null;
}

/** The first place of the pattern from `at` on; the end of the text when there is none. */
function firstAt(global: RegExp, text: string, at: number): number {
  global.lastIndex = at;
  return global.exec(text)?.index ?? text.length;
}

function firstOf(text: string, sign: string, at: number): number {
  const place = text.indexOf(sign, at);
  return place < 0 ? text.length : place;
}
