import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cnpjInput, cpfChange, cpfInput } from '../../src/platform/document-numbers.ts';
import { cnpjOf, cpfOf, isCnpj, isCpf, maskOf } from '../support/document-numbers.ts';

const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`));
/** Of any number, and of one whose check digits are right or nearly so: random ones are right too seldom. */
const elevenDigits = fc.oneof(
  digits(11),
  digits(9).map(cpfOf),
  fc.tuple(digits(9).map(cpfOf), fc.nat(10), digits(1)).map(([cpf, place, digit]) => cpf.slice(0, place) + digit + cpf.slice(place + 1)),
);
const base = fc.stringMatching(/^[0-9A-Z]{12}$/);
const fourteen = fc.oneof(
  fc.stringMatching(/^[0-9A-Z]{12}\d\d$/),
  base.map(cnpjOf),
  fc.tuple(base.map(cnpjOf), fc.nat(13), fc.stringMatching(/^[0-9A-Z]$/)).map(([cnpj, place, one]) => cnpj.slice(0, place) + one + cnpj.slice(place + 1)),
);

describe('S4-10, S4-16, S4-22: CPF', () => {
  it('is taken exactly when an implementation of its own takes it', () => {
    fc.assert(fc.property(elevenDigits, (text) => cpfInput.safeParse(text).success === isCpf(text)), { numRuns: 5_000 });
  });

  it('is eleven digits afterwards, plain or masked, with blanks around it and leading zeros', () => {
    fc.assert(
      fc.property(digits(9).map(cpfOf).filter(isCpf), (cpf) => {
        expect(cpfInput.parse(maskOf(cpf))).toBe(cpf);
        expect(cpfInput.parse(`  ${cpf} `)).toBe(cpf);
      }),
    );
    expect(cpfInput.parse('000.000.001-91')).toBe('00000000191');
  });

  it.each(Array.from({ length: 10 }, (_, digit) => String(digit).repeat(11)))('%s is one digit', (cpf) => {
    expect(cpfInput.safeParse(cpf).success).toBe(false);
    expect(cpfInput.safeParse(maskOf(cpf)).success).toBe(false);
  });

  it.each(['', '5299822472', '529982247255', '529-982-247.25', '529982247-25', '٥٢٩٩٨٢٢٤٧٢٥', '52998224725a', 52_998_224_725, 191, null, ['52998224725']])(
    '%p is none',
    (value) => expect(cpfInput.safeParse(value).success).toBe(false),
  );

  it('says of a number why it is none', () => {
    expect(cpfInput.safeParse(52_998_224_725).error?.issues[0]?.message).toMatch(/leading zeros/);
  });

  it('in a change the shown form stays as it is', () => {
    expect(cpfChange.parse('***.982.247-**')).toBe('***.982.247-**');
    expect(cpfChange.parse('529.982.247-25')).toBe('52998224725');
    expect(cpfChange.safeParse('***.982.247-25').success).toBe(false);
  });
});

describe('S4-30: CNPJ, with letters', () => {
  it('is taken exactly when an implementation of its own takes it', () => {
    fc.assert(fc.property(fourteen, (text) => cnpjInput.safeParse(text).success === isCnpj(text)), { numRuns: 5_000 });
  });

  it.each([
    ['12.ABC.345/01DE-35', '12ABC34501DE35'],
    ['12abc34501de35', '12ABC34501DE35'],
    ['15216260000176', '15216260000176'],
    ['11.222.333/0001-81', '11222333000181'],
  ])('%s is %s', (text, cnpj) => expect(cnpjInput.parse(text)).toBe(cnpj));

  it.each(['00000000000000', '12ABC34501DE36', '12ABC34501D E35', '12ABC34501DEAA', 12_345_678_000_195, 'ÁBCDEFGHIJKL00'])('%p is none', (value) =>
    expect(cnpjInput.safeParse(value).success).toBe(false),
  );
});
