import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lineText, personName, proseText } from '../../src/platform/value-schemas.ts';
import { joiners, unseenCharacters } from '../support/inputs/unseen-characters.ts';

const directionMarks = ['\u200e', '\u200f', '\u061c'];

/* A name or a reason that approvers read says what it shows. */

const hidden: [string, string][] = [
  ['a line feed', '\n'],
  ['a carriage return', '\r'],
  ['NUL', '\u0000'],
  ['an escape', '\u001b'],
  ['a C1 control', '\u0085'],
  ['a line separator', '\u2028'],
  ['a right-to-left override', '\u202e'],
  ['an isolate', '\u2066'],
  ['a space without width', '\u200b'],
  ['a byte order mark', '\ufeff'],
];

describe('a text that approvers read', () => {
  it.each(hidden)('is no line with %s inside', (_, character) => {
    expect(lineText(200).safeParse(`Ana${character}Silva`).success).toBe(false);
  });

  it.each(hidden.filter(([, character]) => character !== '\n'))('is no prose with %s inside', (_, character) => {
    expect(proseText(500).safeParse(`first${character}second`).success).toBe(false);
  });

  it('has nothing inside that is not seen, but the joiners', () => {
    expect(unseenCharacters.length).toBeGreaterThan(4_000);
    const taken = (character: string) => [lineText(200), proseText(500)].filter((schema) => schema.safeParse(`Ana${character}Silva`).success);
    expect(unseenCharacters.filter((character) => taken(character).length > 0)).toEqual(joiners);
  });

  it.each(['\u200d', '\u200c\u200d \u200c'])('is not made of joiners alone: %j', (text) => {
    for (const schema of [lineText(200), proseText(500)]) expect(schema.safeParse(text).success).toBe(false);
  });

  it.each(directionMarks)('has the direction mark %j only beside letters that are written from right to left', (mark) => {
    for (const text of ['Ana', 'Ana 1', '山田', '1 + 2']) expect(lineText(200).safeParse(`${text}${mark}!`).success).toBe(false);
    for (const text of ['עברית', 'محمد', 'Ana שרה']) expect(lineText(200).parse(`${text}${mark}!`)).toBe(`${text}${mark}!`);
  });

  it.each(['❤\ufe0f', '🏳\ufe0f\u200d🌈', '👁\ufe0f\u200d🗨\ufe0f', '1\ufe0f\u20e3', '#\ufe0f\u20e3'])('has U+FE0F in the emoji %s', (emoji) => {
    expect(lineText(200).parse(`${emoji} Family`)).toBe(`${emoji} Family`);
  });

  it.each(['Ana\ufe0f!', 'A1\ufe0f!', '#\ufe0f!', '❤\ufe0f\ufe0f!', '❤\ufe0e!', '山\u{e0100}!', '🏴\u{e0067}\u{e007f}!'])(
    'has no selector that nobody sees: %j',
    (text) => {
      expect(lineText(200).safeParse(text).success).toBe(false);
    },
  );

  it('may be prose of several lines, whose ends any system may have written', () => {
    for (const text of ['first\nsecond', 'first\r\nsecond', 'one\ttwo']) expect(proseText(500).parse(text)).toBe(text);
  });

  it.each(['Ana Sofía Ñandú', 'राजेश कुमार', 'می‌خواهم', 'עברית', '山田 太郎', "O'Brien-Smith", '👩‍👩‍👧 Family'])('may be %s', (name) => {
    expect(personName.parse(` ${name} `)).toBe(name);
  });

  it('is never one that a terminal or a page would show in another order or on another line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const { success, data } = lineText(200).safeParse(text);
        expect(success && /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(data)).toBe(false);
      }),
    );
  });
});
