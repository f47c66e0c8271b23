import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes/index.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { defaultTenantId } from '../../src/domain/actor.ts';
import { startTestApi } from '../support/api.ts';
import type { SignedIn, TestApi } from '../support/api.ts';
import { callWithProof, existing, fill, paramsOf, sampleBody, sampleQuery, tableOf } from '../support/matrix.ts';
import { seedMatrix } from '../support/matrix-seed.ts';

/** Texts that JSON can carry and PostgreSQL cannot store: U+0000, and half of a surrogate pair. */
const strange = ['a\u0000b', 'a\ud800b'];
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
/** Just too deep, and deeper than any recursion over it goes. */
const deep = [nested(101), nested(20_000)];
/** With these the caller could not go on. */
const lastCalls = ['logout', 'forceLogoutUser'];

const tried = routes.filter(({ operationId }) => !lastCalls.includes(operationId));

const fieldsOf = (schema: z.ZodType | undefined): string[] =>
  schema === undefined ? [] : Object.keys(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).properties ?? {});

let app: TestApi;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  admin = await app.signIn('role-super-admin');
  await withClient(app.database.adminUrl, (client) => seedMatrix(client, admin.user_id));
});

afterAll(async () => {
  await app.close();
});

/** The path of something that is there, as far as the sample company has it. */
async function pathOf(route: Route): Promise<string> {
  const [param] = paramsOf(route.path);
  if (param === undefined) return route.path;
  const value = await withClient(app.database.adminUrl, async (client) => {
    const table = await tableOf(client, route.path);
    return table === null ? null : existing(client, table, param).catch(() => null);
  });
  return fill(route.path, () => value ?? '00000000-0000-4000-8000-000000000009');
}

interface Attempt {
  readonly path: string;
  readonly body?: unknown;
}

/** Each field of query and body once with a text that cannot be stored; of the body also below the field. */
async function attemptsOn(route: Route, text: string): Promise<Attempt[]> {
  const path = await pathOf(route);
  const shortest = sampleQuery(route);
  const body = sampleBody(route);
  const inQuery = fieldsOf(route.query).map((field) => {
    const query = new URLSearchParams(shortest);
    query.set(field, text);
    return { path: `${path}?${query.toString()}` };
  });
  if (typeof body !== 'object' || body === null) return inQuery;
  const inBody = fieldsOf(route.body).flatMap((field) =>
    [text, { [text]: text }, [text]].map((value) => ({ path: `${path}${shortest}`, body: { ...body, [field]: value } })),
  );
  return [...inQuery, ...inBody];
}

describe('what cannot be stored or walked', () => {
  it.each(tried.map((route) => [route.operationId, route] as const))('%s answers it in words', async (_, route) => {
    const method = route.method.toUpperCase();
    const unsettled: unknown[] = [];
    for (const text of strange) {
      for (const { path, body } of await attemptsOn(route, text)) {
        const answer = await callWithProof(app, defaultTenantId, admin, method, path, { body, headers: { 'if-match': '*' } });
        if (answer.status === 500) unsettled.push({ path, body, answer: answer.body });
      }
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
      const path = (await pathOf(route)) + sampleQuery(route);
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
