/**
 * CPF and CNPJ by their definition: an implementation of its own, which the library of the product and the functions of the database
 * are compared with. Each check digit is the number that makes the weighted sum divisible by eleven, or 0 where that would be 10.
 */

/** Eleven digits of nine given ones. */
export function cpfOf(base: string): string {
  const first = digitAfter(base, 10);
  return `${base}${first}${digitAfter(`${base}${first}`, 11)}`;
}

function digitAfter(text: string, weight: number): number {
  let sum = 0;
  for (let place = 0; place < text.length; place += 1) sum += (weight - place) * Number(text.charAt(place));
  const missing = 11 - (sum % 11);
  return missing > 9 ? 0 : missing;
}

/** Whether a text is a CPF that a person can have: the rule of the register, and the number of examples left out. */
export function isCpf(text: string): boolean {
  if (text.length !== 11 || [...text].some((character) => character < '0' || character > '9')) return false;
  return cpfOf(text.slice(0, 9)) === text && new Set(text).size > 1 && text !== '12345678909';
}

/** Fourteen characters of twelve given ones. */
export function cnpjOf(base: string): string {
  const first = cnpjDigit(base);
  return `${base}${first}${cnpjDigit(`${base}${first}`)}`;
}

function cnpjDigit(text: string): number {
  let [sum, weight] = [0, 2];
  for (const character of [...text].reverse()) {
    sum += weight * (character.charCodeAt(0) - '0'.charCodeAt(0));
    weight = weight === 9 ? 2 : weight + 1;
  }
  return sum % 11 < 2 ? 0 : 11 - (sum % 11);
}

/** Whether a text is a CNPJ of either form (12 letters or digits, then two check digits). */
export function isCnpj(text: string): boolean {
  if (!/^[0-9A-Z]{12}\d\d$/.test(text)) return false;
  return cnpjOf(text.slice(0, 12)) === text && new Set(text).size > 1;
}

/** The n-th of many CPF that differ, e.g. for rows of a test. */
export function nthCpf(n: number): string {
  return cpfOf(String(100_000_007 + n * 7).slice(0, 9));
}

/** A CPF as people write it. */
export function maskOf(cpf: string): string {
  return cpf.replace(/(\d{3})(\d{3})(\d{3})(\d\d)/, '$1.$2.$3-$4');
}
