/**
 * A point in time in the form in which the product stores and answers it: RFC 3339 in UTC, at most milliseconds, no trailing
 * zeros. The database gives a `timestamptz(3)` in the same form, so a row that was just written and the same row
 * read later are equal.
 *
 * @param at milliseconds since the epoch
 */
export function timestampText(at: number): string {
  const text = new Date(at).toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text.replace(/0+Z$/, 'Z');
}

/**
 * {@link timestampText} of an RFC 3339 text with any offset and any number of decimals, rounded to milliseconds. A text
 * that `Date` cannot represent, e.g. one with a leap second, is returned unchanged for the caller to refuse.
 */
export function toTimestampText(rfc3339: string): string {
  // Whole seconds in UTC, the most frequent input: the text is in this form already.
  if (rfc3339.length === 20 && rfc3339.endsWith('Z')) return rfc3339;
  const fraction = rfc3339.includes('.') ? (/\.\d+/.exec(rfc3339)?.[0] ?? '') : '';
  const seconds = Date.parse(fraction === '' ? rfc3339 : rfc3339.replace(fraction, ''));
  if (Number.isNaN(seconds)) return rfc3339;
  if (fraction === '') return timestampText(seconds);
  // PostgreSQL reads microseconds first and rounds these to the column's precision.
  const microseconds = Math.round(Number(`0${fraction}`) * 1_000_000);
  return timestampText(seconds + Math.round(microseconds / 1_000));
}
