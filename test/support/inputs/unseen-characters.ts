/** Joiners of Persian and Indic words and of emoji, which names are written with. */
export const joiners = ['\u200c', '\u200d'];

/** Every character that is not seen itself, as the Unicode of this runtime says it. */
export const unseenCharacters: readonly string[] = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).filter((character) =>
  /[\p{DI}\p{Cf}\u2800]/u.test(character),
);
