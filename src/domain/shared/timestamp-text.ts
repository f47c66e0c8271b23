/**
 * A moment in the form in which the product stores and answers it: RFC 3339 in UTC, at most milliseconds, no trailing
 * zeros. The database gives a `timestamptz(3)` in the same form, so a row that was just written and the same row
 * read later are equal.
 *
 * @param at milliseconds since the epoch
 */
export function timestampText(at: number): string {
  return new Date(at).toISOString().replace(/\.?0+Z$/, 'Z');
}

/**
 * {@link timestampText} of an RFC 3339 text with any offset and any number of decimals, rounded to milliseconds. A text
 * that is no moment, e.g. one with a leap second, comes back as it is: whoever asked refuses it.
 */
export function toTimestampText(rfc3339: string): string {
  const fraction = /\.\d+/.exec(rfc3339)?.[0] ?? '';
  const seconds = Date.parse(rfc3339.replace(fraction, ''));
  if (Number.isNaN(seconds)) return rfc3339;
  // PostgreSQL reads microseconds first and rounds these to the column's precision.
  const microseconds = Math.round(Number(`0${fraction}`) * 1_000_000);
  return timestampText(seconds + Math.round(microseconds / 1_000));
}
