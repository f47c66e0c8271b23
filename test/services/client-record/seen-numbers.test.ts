import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SeenNumbers } from '../../../src/services/client-record/seen-numbers.ts';

const cpfOf = (digits: number) => `${String(digits).padStart(9, '0')}00`;

describe('numbers that were read of a file', () => {
  it('are known again, as a set would', () => {
    const number = fc.oneof(
      fc.record({ cpf: fc.integer({ min: 0, max: 999_999_999 }).map(cpfOf), cnpj: fc.constant(null) }),
      // Numbers that follow each other, and those that a power of two divides, crowd a table.
      fc.record({ cpf: fc.integer({ min: 0, max: 3_000 }).map((n) => cpfOf(n * 131_072 % 999_999_999)), cnpj: fc.constant(null) }),
      fc.record({ cpf: fc.integer({ min: 0, max: 3_000 }).map(cpfOf), cnpj: fc.constant(null) }),
      fc.record({ cpf: fc.constant(null), cnpj: fc.constantFrom('12ABC34501DE35', '11222333000181') }),
    );
    fc.assert(
      fc.property(fc.array(number, { maxLength: 5_000, size: 'max' }), (numbers) => {
        const [seen, known] = [new SeenNumbers(), new Set<string>()];
        for (const one of numbers) {
          const text = one.cpf ?? one.cnpj;
          expect(seen.add(one)).toBe(!known.has(text));
          known.add(text);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are never the same where there is none', () => {
    const seen = new SeenNumbers();
    expect([seen.add({ cpf: null, cnpj: null }), seen.add({ cpf: null, cnpj: null })]).toEqual([true, true]);
  });

  it('are kept by the million', () => {
    const seen = new SeenNumbers();
    for (let n = 0; n < 1_000_000; n += 1) if (!seen.add({ cpf: cpfOf(n * 947), cnpj: null })) throw new Error(String(n));
    expect(seen.add({ cpf: cpfOf(947), cnpj: null })).toBe(false);
    expect(seen.add({ cpf: cpfOf(948), cnpj: null })).toBe(true);
  });
});
