/** The longest that a remote system may have us wait, in milliseconds; beyond it we ask again all the same. */
export const maxRetryAfterMs = 10 * 60_000;
/** However soon it says, in milliseconds: a system in trouble is not asked in a loop. */
export const minRetryAfterMs = 1_000;

/**
 * How long to wait before asking again, of the header `Retry-After` (RFC 9110, section 10.2.3): seconds or an HTTP date.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds within the two bounds; null where the header is missing or says nothing.
 */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  const text = header?.trim() ?? '';
  const isSeconds = /^\d{1,9}$/.test(text);
  // A date is recognised by its form: Date.parse takes much that is none.
  const isDate = /^[A-Z][a-z]{2,8},? .*GMT$/.test(text);
  if (!isSeconds && !isDate) return null;
  const asked = isSeconds ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(asked) ? null : Math.min(maxRetryAfterMs, Math.max(minRetryAfterMs, asked));
}
