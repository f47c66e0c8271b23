import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routes } from '../../src/api/routes.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { fieldsOf, pathOf, sampleQuery } from '../support/inputs/route-samples.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';

const lists = routes.filter(({ query }) => fieldsOf(query).includes('cursor'));

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Texts that no list has given; the last three look as if another one had. */
const strange = ['%%%', encode('text'), encode(['neither a time nor a number', 'no id']), encode(['1', '']), encode([null, 7])];

const someId = '00000000-0000-4000-8000-000000000000';
/** Days, times and numbers that are none, or only PostgreSQL's; a list by names goes on behind any of them. */
const forgedValues = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '2026-13-45T99:99:99Z',
  '0000-01-01',
  '2026-02-30',
  '9'.repeat(15),
];
const forged = forgedValues.flatMap((value) => [someId, '1', '2147483648'].map((id) => encode([value, id])));

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await createOneOfEach(app, admin.user_id);
});

afterAll(async () => {
  await app.close();
});

describe('every list with a cursor', () => {
  it('is found', () => {
    expect(lists.length).toBeGreaterThan(30);
  });

  it.each(lists.map((route) => [route.operationId, route] as const))('%s refuses one that it has not given, in words', async (_, route) => {
    const path = await pathOf(app, route);
    const shortest = sampleQuery(route);
    const ask = (cursor?: string) =>
      app.call('GET', `${path}${shortest === '' ? '?' : `${shortest}&`}limit=1${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, {
        token: admin.token,
      });
    expect((await ask()).status).toBe(200);
    for (const cursor of strange) {
      const { status, body } = await ask(cursor);
      // One that could be its own, like a number in a list by numbers, is only a place where the list goes on.
      if (status === 200 && cursor === encode(['1', ''])) continue;
      expect({ cursor, status, code: body.code }).toEqual({ cursor, status: 400, code: 'request.cursor-invalid' });
    }
    for (const cursor of forged) {
      const { status, body } = await ask(cursor);
      if (status === 200) continue;
      expect({ cursor, status, code: body.code }).toEqual({ cursor, status: 400, code: 'request.cursor-invalid' });
    }
  });
});
