import { RE2JS } from 're2js';

/** A pattern of a person that cannot be used; the message says why and may be shown. */
export class PatternRefusedError extends Error {
  override readonly name = 'PatternRefusedError';
}

/** A compiled pattern. */
export interface LinearPattern {
  test(text: string): boolean;
  /** Names the pattern; Ajv shares patterns of one name. */
  toString(): string;
}

const maxPatternLength = 1_000;
/** Steps of the compiled program: each character of a text costs up to so many. */
const maxProgramSize = 2_000;
/** A named back reference, which the engine takes for the letter k and some more letters. */
const namedBackReference = /(?<!\\)(?:\\\\)*\\k/;

/**
 * Compiles a pattern that a person has written, for an engine whose time is linear in the text: no pattern makes it go back
 * and try again. It accepts what ECMA-262 accepts with the flag `u`, but for lookaround, back references, long names of
 * Unicode properties, and repetitions above 1,000. Patterns are nowhere else made of what people send.
 *
 * @throws PatternRefusedError
 */
export function linearPattern(source: string): LinearPattern {
  if (source.length > maxPatternLength) throw new PatternRefusedError(`is longer than ${maxPatternLength} characters`);
  if (!isNativePattern(source)) throw new PatternRefusedError('is no regular expression of ECMA-262 with the flag u');
  if (namedBackReference.test(source)) throw notSupported();
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  } catch (cause) {
    throw notSupported(cause);
  }
  if (compiled.programSize() > maxProgramSize) throw new PatternRefusedError('is too large');
  return { test: (text) => compiled.test(text), toString: () => `/${source}/u` };
}

/** The one place where the native engine compiles a pattern of a person; it does not match anything with it. */
function isNativePattern(source: string): boolean {
  try {
    return new RegExp(source, 'u').unicode;
  } catch {
    return false;
  }
}

function notSupported(cause?: unknown): PatternRefusedError {
  return new PatternRefusedError(
    'is not supported: lookaround, back references, long names of Unicode properties and repetitions above 1,000 are not',
    { cause },
  );
}
