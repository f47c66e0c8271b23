import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lineText, personName, proseText } from '../../src/platform/value-schemas.ts';

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
