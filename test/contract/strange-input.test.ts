import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import type { Route } from '../../src/api/http/route.ts';
import { routes } from '../../src/api/routes.ts';
import { asSuperuser } from '../support/superuser.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { fieldsOf, fill, paramsOf, pathOf, sampleBody, sampleQuery } from '../support/inputs/route-samples.ts';
import { createOneOfEach } from '../support/factories/one-of-each.ts';
import { callProven } from '../support/second-factor.ts';

/**
 * What JSON can carry and a column may not: U+0000 and half of a surrogate pair, numbers beyond every integer type, days that
 * no calendar or only PostgreSQL's knows, and much of it.
 */
const strange = [
  'a\u0000b',
  'a\ud800b',
  'x'.repeat(20_000),
  '',
  '0000-00-00',
  '0000-01-01',
  '0001-01-01T00:00:00+05:30',
  '2026-12-01T10:00:00+23:59',
  '0001-01-01T00:00:00+23:59',
  '9999-12-31T23:59:59-23:59',
  2_147_483_648,
  Number.MAX_SAFE_INTEGER,
  1e308,
  -1,
  0.1,
];
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
/** Just too deep, and deeper than any recursion over it goes. */
const deep = [nested(101), nested(20_000)];
/** With these the caller could not go on. */
const lastCalls = ['logout', 'forceLogoutUser'];

const tried = routes.filter(({ operationId }) => !lastCalls.includes(operationId));

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await createOneOfEach(app, admin.user_id);
  // With a second administrator changes of one would open requests, which wait for a worker.
  await asSuperuser(app, "update users set status = 'inactive' where role <> 'user' and id <> $1", [admin.user_id]);
});

afterAll(async () => {
  await app.close();
});

interface Attempt {
  readonly path: string;
  readonly body?: unknown;
}

/** Each field of query and body once with something strange in it, of the body also below the field: what a schema lets through. */
async function attemptsOn(route: Route): Promise<Attempt[]> {
  const path = await pathOf(app, route);
  const shortest = sampleQuery(route);
  const body = sampleBody(route);
  const queries = fieldsOf(route.query).flatMap((field) =>
    strange.map((value) => ({ ...Object.fromEntries(new URLSearchParams(shortest)), [field]: String(value) })),
  );
  const bodies =
    typeof body !== 'object' || body === null
      ? []
      : fieldsOf(route.body).flatMap((field) =>
          strange.flatMap((value) => [value, { [value]: value }, [value]]).map((value) => ({ ...body, [field]: value })),
        );
  return [
    ...queries.filter((query) => passes(route.query, query)).map((query) => ({ path: `${path}?${new URLSearchParams(query).toString()}` })),
    ...bodies.filter((one) => passes(route.body, one)).map((one) => ({ path: `${path}${shortest}`, body: one })),
  ];
}

/** What a schema refuses goes no further, so it need not be sent; one that fails over it has to be. */
function passes(schema: z.ZodType | undefined, value: unknown): boolean {
  try {
    return schema?.safeParse(value).success === true;
  } catch {
    return true;
  }
}

describe('strange input', () => {
  it.each(tried.map((route) => [route.operationId, route] as const))('%s answers it in words', async (_, route) => {
    const method = route.method.toUpperCase();
    const unsettled: unknown[] = [];
    for (const { path, body } of await attemptsOn(route)) {
      const answer = await callProven(app, admin, method, path, { body, headers: { 'if-match': '*' } });
      if (answer.status === 500) unsettled.push({ path: path.slice(0, 200), body: JSON.stringify(body)?.slice(0, 300) });
    }
    expect(unsettled).toEqual([]);
  });

  it('a path with U+0000 names nothing', async () => {
    for (const route of tried.filter(({ path, method }) => method === 'get' && paramsOf(path).length > 0)) {
      const answer = await app.call('GET', fill(route.path, () => 'a\u0000b') + sampleQuery(route), { token: admin.token });
      expect({ id: route.operationId, isRefused: answer.status >= 400 && answer.status < 500 }).toEqual({
        id: route.operationId,
        isRefused: true,
      });
    }
  });

  it('JSON that is nested without end is refused', async () => {
    for (const route of tried.filter(({ body }) => body !== undefined)) {
      const path = (await pathOf(app, route)) + sampleQuery(route);
      for (const [field, value] of fieldsOf(route.body).flatMap((name) => deep.map((json) => [name, json] as const))) {
        const answer = await fetch(`${app.url}${path}`, {
          method: route.method.toUpperCase(),
          headers: { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json', 'if-match': '*' },
          body: `{${JSON.stringify(field)}:${value}}`,
        });
        await answer.arrayBuffer();
        expect({ id: route.operationId, field, status: answer.status }).toMatchObject({ status: 422 });
      }
    }
  });
});
