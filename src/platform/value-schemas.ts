import { z } from 'zod';
import { toTimestampText } from '../domain/shared/timestamp-text.ts';

/**
 * The id of a row. PostgreSQL takes an id in capitals for the same one, so it is one text from here on: in comparisons, digests,
 * ids of workflows and the audit.
 */
export const uuid = z.uuid().toLowerCase();

/** RFC 3339 UTC, as it is given out. */
export const timestamp = z.iso.datetime({ offset: true });

/**
 * RFC 3339 with any offset, as it is taken; the parsed value is the text that the database would give back. Years of which
 * an offset could make one that PostgreSQL writes in another way (before 1, after 9999) are refused.
 */
export const timestampInput = timestamp
  .refine(isInUsualYear, 'must be in the years 1000 to 2999')
  .overwrite(toTimestampText);

/** A calendar day, `YYYY-MM-DD`, as it is given out. */
export const day = z.iso.date();

/** {@link day} as it is taken, in the same years as {@link timestampInput}. */
export const dayInput = day.refine(isInUsualYear, 'must be in the years 1000 to 2999');

/** A text without a year is refused for its form already. */
function isInUsualYear(text: string): boolean {
  return !/^[03-9]\d{3}-/.test(text);
}

/** E-mail address, stored in lower case. */
export const email = z.email().max(320).toLowerCase();

/** Phone number in E.164 form, e.g. `+919876543200`. */
export const phoneNumber = z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be an E.164 phone number');

const writtenPhonePattern = /^\+?[\d ()./-]{4,31}(?:(?:x|ext\.?|#) ?\d{1,6})?$/i;

/**
 * Phone number as people write it, e.g. `+91 98765 43210`, `(030) 123-45` or `030 12345 ext. 12`, which is kept and shown as
 * it was written. Where the text may be empty, it is no number.
 */
export const writtenPhoneNumber = (text: z.ZodString) =>
  text.max(32).refine((value) => value === '' || writtenPhonePattern.test(value), 'must be a phone number');

/** Address of a web server, as it is taken. What is none is refused at once, so that further rules of it have an address. */
export const webAddress = z.url({ protocol: /^https?$/, abort: true }).max(2_000);

/** SHA-256 in hex, e.g. the digest of a change. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex');

/** IANA time zone name the runtime knows. */
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be an IANA time zone');

/** Aliases such as Asia/Kolkata are names too, though the runtime lists one name of each zone; offsets are none. */
function isTimeZone(zone: string): boolean {
  if (!/^[A-Z]/i.test(zone)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/**
 * What makes a text look different from what it says, to an approver or in a log: controls, the separators of lines and
 * paragraphs, and what is not seen itself. The last are properties of Unicode and no list of ours, so that characters of later
 * versions are refused as well: what a renderer ignores (Default_Ignorable_Code_Point: fillers, variation selectors, tags, what
 * takes no width), format characters (Cf: those that change the direction of the text around them, UAX #9, and annotations),
 * and the blank pattern of Braille.
 *
 * What names are written with stays:
 * - the joiners U+200C and U+200D, of Persian and Indic words and of emoji; of them alone no text is made;
 * - the direction marks U+200E, U+200F and U+061C, in a text with letters that are written from right to left; in any other
 *   they say nothing;
 * - U+FE0F directly after an emoji, which it asks to be shown in colour. A digit, # or * counts as one only within a keycap.
 */
const deceptive =
  /[\p{Cc}\p{Zl}\p{Zp}\p{DI}\p{Cf}\u2800](?<![\u200c-\u200f\u061c])(?<!\p{Emoji}(?<![0-9#*])\ufe0f|[0-9#*]\ufe0f(?=\u20e3))/u;
const blank = /^[\s\u200c\u200d]+$/;
const directionMark = /[\u200e\u200f\u061c]/u;
const rightToLeft = /(?=\p{L})[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

function isDeceptive(text: string): boolean {
  return deceptive.test(text) || blank.test(text) || (directionMark.test(text) && !rightToLeft.test(text));
}

/**
 * A text of one line that people give and others read, as it is taken: the name of a person or a thing.
 *
 * @param max characters.
 */
export const lineText = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => !isDeceptive(text), 'must be one line without control or invisible characters');

/**
 * A text of one or more lines that people give and others read, as it is taken: a reason, a note.
 *
 * @param max characters.
 * @param min 0 where it may be empty.
 */
export const proseText = (max: number, min: 0 | 1 = 1) =>
  z
    .string()
    .trim()
    .min(min)
    .max(max)
    .refine((text) => !isDeceptive(text.replaceAll(/\r?\n|\t/g, ' ')), 'must have no control or invisible characters');

/** The name of a person, as it is taken. */
export const personName = lineText(200);

/** What a profile says of a person: a job title, a department. */
export const profileText = lineText(200);

/** Why somebody does something, for the record. */
export const reasonText = proseText(500);

/** A secret on its way in: long enough to be one, never echoed. */
export const passwordInput = z.string().min(1).max(128);

const currencies = new Set(Intl.supportedValuesOf('currency'));

/** Currency code of ISO 4217, of those that the platform knows. */
export const currencyCode = z.string().refine((code) => currencies.has(code), 'must be a currency code of ISO 4217, such as INR');

const regions = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
/** What the platform has a name for, though ISO 3166-1 assigns it to no country (any more): reserved, withdrawn, of CLDR's own. */
const noCountries = new Set(
  'AC AN BU CP CQ CS DD DG DY EA EU EZ FX HV IC NH QO RH SU TA TP UK UN VD XA XB XK YD YU ZR ZZ'.split(' '),
);

function isCountry(code: string): boolean {
  return /^[A-Z]{2}$/.test(code) && !noCountries.has(code) && regions.of(code) !== undefined;
}

/** Country code of ISO 3166-1, two letters. */
export const countryCode = z.string().refine(isCountry, 'must be a country code of ISO 3166-1, such as IN');

/** Schemas of members that run with the clock, such as the seconds since something: GET shows another value a moment later. */
export const clockValues = z.registry();

/** The `:id` of a path. */
export const idParams = z.object({ id: uuid });
