import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { JsonValue } from '../../../src/domain/shared/canonical.ts';
import { addressesOf, hasKeyManagement, isTransient, isPulled, remoteFaults, serviceUrl } from '../../../src/domain/integration/integration.ts';
import type { RestConfig } from '../../../src/domain/integration/integration.ts';
import { atPointer, readPage, recordLimits, partitionRecords } from '../../../src/domain/integration/integration-records.ts';
import { pointerToken } from '../../../src/domain/shared/json-pointer.ts';
import {
  canMoveRotation,
  isBeforeSwitch,
  isEndedRotation,
  openRotationStatuses,
  retryDelayMs,
  rotationStatuses,
} from '../../../src/domain/integration/key-rotation.ts';
import type { RotationStatus } from '../../../src/domain/integration/key-rotation.ts';

const paging = {
  page_size: 10,
  limit_param: 'limit',
  cursor_param: 'cursor',
  items_pointer: '/items',
  cursor_pointer: '/next_cursor',
  id_pointer: '/id',
};

describe('records of a page', () => {
  it('every record is accepted or reported, whatever the service sends, and accepted ones can be stored', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.jsonValue(), fc.record({ id: fc.jsonValue(), v: fc.jsonValue() }))), (given) => {
        const items = given as JsonValue[];
        const { records, failures } = partitionRecords(items, '/id');
        expect(records.length + failures.length).toBe(items.length);
        expect(new Set(records.map(({ external_id }) => external_id)).size).toBe(records.length);
        for (const { external_id, payload } of records) {
          expect(external_id.length).toBeGreaterThan(0);
          expect(external_id.length).toBeLessThanOrEqual(recordLimits.idLength);
          expect(JSON.stringify(payload)).not.toContain('\\u0000');
        }
      }),
    );
  });

  it.each([
    [null, 'no_object'],
    [[{ id: 1 }], 'no_object'],
    [{ name: 'x' }, 'no_id'],
    [{ id: '' }, 'no_id'],
    [{ id: true }, 'no_id'],
    [{ id: 'x'.repeat(201) }, 'id_too_long'],
    [{ id: 1, text: 'x'.repeat(recordLimits.payloadLength) }, 'too_large'],
    [{ id: 1, text: 'a\u0000b' }, 'unstorable'],
    [{ id: 1, text: '\ud800' }, 'unstorable'],
  ] satisfies [JsonValue, string][])('%j is not taken: %s', (item, reason) => {
    expect(partitionRecords([item], '/id')).toMatchObject({ records: [], failures: [{ place: 0, reason }] });
  });

  it('the first of two records with one id is accepted, and the other reported', () => {
    const page = partitionRecords([{ id: 1 }, { id: '1' }], '/id');
    expect(page.records).toEqual([{ external_id: '1', payload: { id: 1 } }]);
    expect(page.failures).toEqual([{ external_id: '1', place: 1, reason: 'repeated' }]);
  });

  it.each([
    [{ items: [], next_cursor: null }, null],
    [{ items: [] }, null],
    [{ items: [], next_cursor: '' }, null],
    [{ items: [], next_cursor: 'abc' }, 'abc'],
    [{ items: [], next_cursor: 7 }, '7'],
  ] satisfies [JsonValue, string | null][])('%j goes on at %j', (answer, cursor) => {
    expect(readPage(answer, paging)?.next_cursor).toBe(cursor);
  });

  it.each([[null], [[]], [{ rows: [] }], [{ items: {} }], [{ items: [], next_cursor: { at: 1 } }], [{ items: [], next_cursor: 'x'.repeat(2_001) }]])(
    '%j is no page',
    (answer) => {
      expect(readPage(answer as JsonValue, paging)).toBeNull();
    },
  );

  it('a pointer finds a member of any name (RFC 6901)', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), fc.jsonValue(), (names, value) => {
        const nested = names.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), value as JsonValue);
        // `__proto__` in a literal sets the prototype instead of a member.
        fc.pre(!names.includes('__proto__'));
        expect(atPointer(nested, names.map((name) => `/${pointerToken(name)}`).join(''))).toEqual(value);
      }),
    );
    expect(atPointer({ a: [1, 2] }, '/a/1')).toBe(2);
    expect(atPointer({}, '/constructor')).toBeUndefined();
  });
});

describe('S2-21: the states of a rotation', () => {
  const status = fc.constantFrom(...rotationStatuses);

  it('never lead from after the switch to one in which the new key is discarded, nor back', () => {
    const after: RotationStatus[] = ['switched', 'revoking', 'completed'];
    fc.assert(
      fc.property(status, status, (from, to) => {
        if (!canMoveRotation(from, to)) return;
        if (after.includes(from)) expect(after).toContain(to);
        if (to === 'switched') expect(from).toBe('verified');
        if (to === 'completed') expect(from).toBe('revoking');
      }),
    );
  });

  it('lead from every open state to a final one, and from no final one to another', () => {
    const reachesEnd = (from: RotationStatus, seen: ReadonlySet<RotationStatus>): boolean =>
      isEndedRotation(from) ||
      rotationStatuses.some((to) => canMoveRotation(from, to) && !seen.has(to) && reachesEnd(to, new Set([...seen, to])));
    for (const from of rotationStatuses) {
      expect(reachesEnd(from, new Set([from]))).toBe(true);
      expect(openRotationStatuses.includes(from)).toBe(!isEndedRotation(from));
      if (isEndedRotation(from)) expect(rotationStatuses.filter((to) => canMoveRotation(from, to))).toEqual([]);
    }
  });

  it('can be given up before the switch only', () => {
    expect(rotationStatuses.filter(isBeforeSwitch)).toEqual(rotationStatuses.filter((from) => canMoveRotation(from, 'discarding')));
  });

  it('wait longer from attempt to attempt without end', () => {
    const delays = [5, 30, 3_600];
    expect([1, 2, 3, 4, 1_000].map((failures) => retryDelayMs(failures, delays))).toEqual([5e3, 3e4, 36e5, 36e5, 36e5]);
    fc.assert(fc.property(fc.integer(), (failures) => retryDelayMs(failures, delays) >= 5_000));
  });
});

describe('kinds of integrations', () => {
  const rest: RestConfig = {
    kind: 'rest_api_key',
    base_url: 'https://api.example.com/v1/',
    auth_header: 'Authorization',
    auth_scheme: 'Bearer',
    probe_path: '/me',
    records_path: '/records',
    paging,
    key_management: null,
  };

  it('have URLs, are fetched from or not, and have managed keys or not', () => {
    const source = { kind: 'webhook_source', id_pointer: '/id' } as const;
    expect(addressesOf(rest)).toEqual([{ pointer: '/config/base_url', url: rest.base_url }]);
    expect(addressesOf(source)).toEqual([]);
    expect([isPulled(rest), isPulled(source)]).toEqual([true, false]);
    expect([hasKeyManagement(rest), hasKeyManagement(source)]).toEqual([false, false]);
    expect(remoteFaults.filter(isTransient)).toEqual(['unreachable', 'failing', 'reader_ended']);
  });

  it('never leave their base URL, whatever the path', () => {
    const path = fc.array(fc.stringMatching(/^[\w.-]{1,8}$/), { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(path, (given) => {
        fc.pre(!given.split('/').includes('..') && !given.split('/').includes('.'));
        expect(new URL(serviceUrl(rest.base_url, given)).href.startsWith('https://api.example.com/v1/')).toBe(true);
      }),
    );
  });
});
