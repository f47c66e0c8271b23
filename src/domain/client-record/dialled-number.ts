/**
 * A phone number as people write it, without what is only written: blanks, dots, brackets and hyphens. A zero in brackets is dialled
 * from within the country only, so that the number is left as it is, which is none in the form of E.164.
 */
export function dialledNumber(written: string): string {
  return /\(\s*0\s*\)/.test(written) ? written : written.replaceAll(/[\s.()-]/g, '');
}
