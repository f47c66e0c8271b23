import type { ClientValues } from './client.payload.ts';

/**
 * The numbers that were read of a file. Of a CPF the first nine digits are kept: the others follow from them. They stand in one array
 * of integers, each at the first free place after that which it hashes to: a million take eight megabytes, where a set takes sixty
 * while it grows.
 */
export class SeenNumbers {
  #cpfs = new Int32Array(1_024);
  #cpfCount = 0;
  readonly #cnpjs = new Set<string>();

  /** @returns false where the number was there already; clients without a number are never the same. */
  add({ cpf, cnpj }: Pick<ClientValues, 'cpf' | 'cnpj'>): boolean {
    if (cpf !== null) return this.#addCpf(Number(cpf.slice(0, 9)));
    if (cnpj === null) return true;
    const before = this.#cnpjs.size;
    return this.#cnpjs.add(cnpj).size > before;
  }

  #addCpf(digits: number): boolean {
    // A free place holds 0, so what is kept is one more than the digits.
    const value = digits + 1;
    const place = placeOf(this.#cpfs, value);
    if (this.#cpfs[place] === value) return false;
    this.#cpfs[place] = value;
    this.#cpfCount += 1;
    if (this.#cpfCount * 2 > this.#cpfs.length) this.#grow();
    return true;
  }

  #grow(): void {
    const larger = new Int32Array(this.#cpfs.length * 2);
    for (const value of this.#cpfs) if (value !== 0) larger[placeOf(larger, value)] = value;
    this.#cpfs = larger;
  }
}

/** Where a value stands in a table that is at most half full and whose length is a power of two, or the free place for it. */
function placeOf(table: Int32Array, value: number): number {
  const mask = table.length - 1;
  // Multiplied by 2^32 over the golden ratio (Knuth), values that follow each other are spread over the table.
  let place = (Math.imul(value, 0x9e_37_79_b1) >>> 7) & mask;
  while (table[place] !== 0 && table[place] !== value) place = (place + 1) & mask;
  return place;
}
