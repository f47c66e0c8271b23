import { describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { csvRowReader } from '../../../src/platform/csv-row.ts';
import { prospectCsvFormat } from '../../../src/services/tracker/pipeline/prospect-csv.ts';

const readRow = (cells: Record<string, string>) => csvRowReader(prospectCsvFormat, Object.keys(cells))(Object.values(cells));

describe('a row of a prospect file', () => {
  it('is normalized', () => {
    const read = readRow({
      name: '  Ada ',
      email: ' Ada@Example.TEST ',
      phone: "'+91 98765 43210",
      value_minor: '150000',
      currency: 'INR',
      next_activity_at: '2026-12-01T10:00:00+05:30',
    });
    expect(read).toEqual({
      row: {
        name: 'Ada',
        email: 'ada@example.test',
        phone: '+91 98765 43210',
        value_minor: 150_000,
        currency: 'INR',
        next_activity_at: '2026-12-01T04:30:00Z',
      },
    });
  });

  it('lists all its faults', () => {
    const read = readRow({
      name: '',
      company: 'x'.repeat(256),
      email: 'nobody',
      phone: 'call me',
      source: 'a\u0000b',
      value_minor: '12.50',
      currency: 'inr',
      next_activity_at: '2026-13-01T00:00:00Z',
    });
    const columns = 'faults' in read ? read.faults.map(({ column }) => column) : [];
    expect(columns).toEqual(['company', 'email', 'phone', 'source', 'value_minor', 'currency', 'next_activity_at', 'name']);
    expect(readRow({ name: 'x'.repeat(300) })).toEqual({
      faults: [{ column: 'name', detail: 'must have at most 255 characters' }],
    });
    expect(readRow({ name: 'A', next_activity_at: 'tomorrow' })).toHaveProperty('faults');
    expect(readRow({ name: 'A', value_minor: '9999999999999' })).toHaveProperty('faults');
  });

  it('is the same after export and import, also when it begins like a formula', () => {
    fc.assert(
      fc.property(fc.constantFrom('=', '+', '-', '@', ''), fc.string({ minLength: 1, maxLength: 20 }), (start, rest) => {
        const name = `${start}${rest}`.replaceAll('\u0000', '').trim();
        fc.pre(name !== '' && !name.startsWith("'"));
        const [[cell]] = parse(stringify([[name]], { escape_formulas: true })) as [[string]];
        expect(cell).not.toMatch(/^[=+\-@\t\r]/);
        expect(readRow({ name: cell })).toMatchObject({ row: { name } });
      }),
    );
  });
});
