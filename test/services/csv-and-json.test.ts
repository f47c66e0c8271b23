import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ProspectCreate } from '../../src/api/tracker/prospect.schemas.ts';
import { unstorableParts } from '../../src/domain/shared/storable-json.ts';
import { csvRowReader } from '../../src/platform/csv-row.ts';
import { contactCsvFormat } from '../../src/services/assignment/contact-import.service.ts';
import { contactCreation } from '../../src/services/assignment/contact.payload.ts';
import { prospectCsvFormat } from '../../src/services/tracker/pipeline/prospect-csv.ts';

type Answer = { readonly accepted: unknown } | 'refused';
type Fields = Record<string, string | number>;

/** What a request answers: text that cannot be stored is refused before the schema of the route is asked. */
function answerOfBody(schema: typeof ProspectCreate | typeof contactCreation, fields: Fields): Answer {
  const result = schema.safeParse(fields);
  return result.success && unstorableParts(fields).length === 0 ? { accepted: withoutNull(result.data) } : 'refused';
}

function answerOfRow(format: typeof prospectCsvFormat | typeof contactCsvFormat, fields: Fields): Answer {
  const header = Object.keys(fields);
  const read = csvRowReader<string, object>(format, header)(header.map((column) => String(fields[column])));
  return 'row' in read ? { accepted: withoutNull(read.row) } : 'refused';
}

function withoutNull(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

/** Text that is one cell: the surrounding blanks and the guard of a formula belong to the file. */
const isCell = (text: string) => text !== '' && text === text.trim() && !/^'[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text);
const cell = (...texts: fc.Arbitrary<string>[]) =>
  fc.oneof(...texts, fc.string({ unit: 'binary' }), fc.constantFrom('a\u0000b', '\ud800', 'null', '-')).filter(isCell);
const upTo = (length: number) => fc.integer({ min: length - 2, max: length + 2 }).map((count) => 'x'.repeat(count));

const mail = cell(
  fc.emailAddress(),
  fc.emailAddress().map((address) => address.toUpperCase()),
  fc.constantFrom('nobody', 'a@b', 'ü@x.test', 'a@bücher.test', 'a"b@x.test', 'a..b@x.test', '.a@x.test', 'a@-x.test', 'a&b@x.test'),
  upTo(310).map((text) => `${text}@mail.test`),
);
const phone = cell(
  fc.string({ unit: fc.constantFrom(...Array.from('+0123456789 ()./-x')), maxLength: 36 }),
  fc.constantFrom('+91 98765 43210', '(030) 123-45', '123', '1234', 'call me', '+4930123456789', '030 12345 ext. 12', '+1 202 555 0100 x7', '12345 ext', 'ext. 12'),
  upTo(32),
);
const time = cell(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.tuple(fc.date({ noInvalidDate: true }), fc.constantFrom('+05:30', '-14:00', '+25:00', 'Z', '')).map(([date, offset]) => date.toISOString().slice(0, 19) + offset),
  fc.constantFrom('2026-12-01T10:00Z', '2026-02-30T00:00:00Z', '2026-01-01T24:00:00Z', '2026-12-31T23:59:60Z', '2026-12-01', 'tomorrow'),
  fc.constantFrom('0999-12-31T00:00:00Z', '2026-12-01T10:00:00.1235+05:30', '2026-12-01T10:00:00.500Z'),
);
const amount = fc
  .oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constantFrom(0, 1_000_000_000_000, 1_000_000_000_001, 12.5, 1e21))
  .filter((value) => !Object.is(value, -0) && !Number.isNaN(value) && Number.isFinite(value));
const currency = cell(fc.string({ unit: fc.constantFrom(...Array.from('ABCxyz1')), minLength: 2, maxLength: 4 }));

describe('a field is accepted and normalized alike in a JSON body and in a row of a file', () => {
  it.each([
    { field: 'name', values: cell(upTo(200)) },
    { field: 'email', values: mail },
    { field: 'phone_number', values: phone },
    { field: 'company', values: cell(upTo(200)) },
    { field: 'source', values: cell(upTo(100)) },
    { field: 'notes', values: cell(upTo(5000)) },
  ])('contact: $field', ({ field, values }) => {
    fc.assert(
      fc.property(values, (value) => {
        const fields = { name: 'Asha', [field]: value };
        expect(answerOfRow(contactCsvFormat, fields)).toEqual(answerOfBody(contactCreation, fields));
      }),
    );
  });

  it.each<{ field: string; values: fc.Arbitrary<string | number>; others?: Fields }>([
    { field: 'name', values: cell(upTo(255)) },
    { field: 'company', values: cell(upTo(255)) },
    { field: 'email', values: mail },
    { field: 'phone', values: phone },
    { field: 'source', values: cell(upTo(100)) },
    { field: 'value_minor', values: amount, others: { currency: 'INR' } },
    { field: 'value_minor', values: amount },
    { field: 'currency', values: currency, others: { value_minor: 5 } },
    { field: 'next_activity_at', values: time },
  ])('prospect: $field', ({ field, values, others = {} }) => {
    fc.assert(
      fc.property(values, (value) => {
        const fields = { name: 'Asha', ...others, [field]: value };
        expect(answerOfRow(prospectCsvFormat, fields)).toEqual(answerOfBody(ProspectCreate, fields));
      }),
    );
  });

  it('has every field of the file in the body', () => {
    expect(Object.keys(ProspectCreate.shape)).toEqual(expect.arrayContaining([...prospectCsvFormat.columns]));
    expect(Object.keys(contactCreation.shape)).toEqual([...contactCsvFormat.columns]);
  });

  it.each([
    ['ü@x.test', 'refused'],
    ['Ada@Example.TEST', 'ada@example.test'],
  ])('e-mail address %s', (email, expected) => {
    const answer = answerOfRow(contactCsvFormat, { name: 'A', email });
    expect(answer).toEqual(expected === 'refused' ? 'refused' : { accepted: { name: 'A', email: expected } });
  });
});
