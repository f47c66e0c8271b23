import { cnpj, cpf } from 'cpf-cnpj-validator';
import { z } from 'zod';
import { maskedCpfPattern } from '../domain/shared/document-number.ts';

/**
 * CPF as people write it, plain (`52998224725`) or masked (`529.982.247-25`); the parsed value is its eleven digits (S4-16, S4-22).
 * A text only: a number has lost its leading zeros. Mod-11 lets about one in five hundred typing errors pass, so a right form says
 * nothing about whose it is.
 */
export const cpfInput = z
  .string({ error: textOnly })
  .trim()
  .refine((text) => cpf.isValid(text, true), 'must be a CPF: eleven digits, plain or as 000.000.000-00, with right check digits')
  .overwrite((text) => cpf.strip(text));

/** {@link cpfInput} in a change of what shows it masked: the shown form is taken too, and means that the number stays. */
export const cpfChange = z
  .string({ error: textOnly })
  .trim()
  .refine((text) => maskedCpfPattern.test(text) || cpf.isValid(text, true), 'must be a CPF with right check digits, or as it is shown')
  .overwrite((text) => (maskedCpfPattern.test(text) ? text : cpf.strip(text)));

/**
 * CNPJ as people write it, plain (`12ABC34501DE35`) or masked (`12.ABC.345/01DE-35`), in any case; the parsed value is its fourteen
 * characters. Numbers given out since July 2026 may have letters in the first twelve places (S4-30); the older ones stay.
 */
export const cnpjInput = z
  .string({ error: textOnly })
  .trim()
  .toUpperCase()
  .refine((text) => cnpj.isValid(text, true), 'must be a CNPJ: fourteen characters, plain or as 00.000.000/0000-00, with right check digits')
  .overwrite((text) => cnpj.strip(text));

function textOnly({ input }: { readonly input?: unknown }): string | undefined {
  return typeof input === 'number' ? 'must be a text, because a number loses its leading zeros' : undefined;
}
