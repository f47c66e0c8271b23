import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routes } from '../../src/api/routes.ts';
import { takesIdempotencyKey } from '../../src/api/http/route-description.ts';
import type { Answer } from '../support/api.ts';
import { fill, sampleBody } from '../support/inputs/route-samples.ts';
import { Attempt, essence, ofCourse, routeOf } from './commands/attempt.ts';
import type { CommandStage } from './commands/stage.ts';
import { commandTable } from './commands/table.ts';
import { commands, courses, each, expectDone, first, isCertain, isDone, prepared, theStage } from './commands/trial.ts';

let stage: CommandStage;

beforeAll(async () => {
  stage = await theStage.open();
});

afterAll(() => theStage.close());

describe('the table of commands (T-1, T-2)', () => {
  const mutating = routes.filter(({ method }) => method !== 'get').map(({ operationId }) => operationId);

  it('has a line for every route that is no GET, and no other', () => {
    const named = new Set(commandTable.map(({ operationId }) => operationId));
    expect(mutating.filter((id) => !named.has(id))).toEqual([]);
    expect([...named].filter((id) => !mutating.includes(id))).toEqual([]);
    const plain = commands.filter(({ variant }) => variant === undefined).map(({ operationId }) => operationId);
    expect(plain.filter((id, index) => plain.indexOf(id) !== index)).toEqual([]);
  });

  it('says of every route whether it takes a key as the route itself does', () => {
    for (const { operationId, kind } of commandTable) {
      expect({ operationId, takesKey: takesIdempotencyKey(routeOf(operationId)) }).toEqual({ operationId, takesKey: kind !== 'none' });
    }
  });
});

describe('T-2: where a key is of no effect, it is refused', () => {
  const others = commandTable.filter((line) => line.kind === 'none').map((line) => [line.operationId, line.reason] as const);

  it.each(others)('%s: %s', async (operationId) => {
    const route = routeOf(operationId);
    const path = fill(route.path, (name) => (name === 'environment' ? 'development' : '00000000-0000-4000-8000-000000000009'));
    const answer = await stage.app.call(route.method.toUpperCase(), path, {
      ...(route.permission === 'public' ? {} : { token: stage.admin.token }),
      body: route.uploads === undefined ? sampleBody(route) : 'name\nOne',
      headers: { 'idempotency-key': 'some-key', ...(route.uploads === undefined ? {} : { 'content-type': route.uploads[0] ?? '' }) },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency.not-offered' } });
  });
});

describe('T-1, T-2: a repetition gets the first answer, without a factor, from any process', () => {
  each('once', commands, async (line) => {
    const attempt = await Attempt.prepare(stage, line);
    const answer = await first(attempt, line);
    expectDone(answer);
    if (answer.status === 201 || answer.status === 202) await expectPlace(line.operationId, answer, attempt.person.token);
    const course = courses.get(line)!;
    expect(course.effects.length > 0).toBe(line.silent === undefined);
    for (const url of [stage.app.url, stage.second.url]) {
      const again = await attempt.send(url);
      expect(essence(again, line)).toEqual(essence(answer, line));
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    }
    const { other = withOtherText(attempt.example.body) } = attempt.example;
    if (other !== undefined) expect(await attempt.send(stage.app.url, other)).toMatchObject(reused);
    if (line.operationId !== 'updatePreferences') {
      const elsewhere = await stage.app.call('PUT', '/users/me/preferences', {
        token: attempt.person.token,
        body: { theme: 'dark' },
        headers: { 'idempotency-key': attempt.key },
      });
      expect(elsewhere).toMatchObject(reused);
    }
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });

  /** Operations whose 201 or 202 is about nothing that has an address of its own, each with the reason. */
  const withoutPlace: Readonly<Record<string, string>> = {
    assignUserRole: 'the roles of a user are read as a list',
    createMeetingFollowUps: 'several activities are made at once',
    createServiceToken: 'tokens are read as a list, and never one by one',
    createTenant: 'tenants are read as a list',
    createTrackerVacation: 'vacations are read as a list',
    linkUserIdentity: 'external accounts of a user are read as a list',
    nameAdministrator: 'namings are read as a list',
    redeliverNotification: 'deliveries are read as a list',
    requestAddressCode: 'a code went out; nothing was made that could be read',
    requestFactorRecovery: 'whether anything was made is told to nobody without an account',
    requestMFACode: 'a challenge is answered, not read',
    setUpTotp: 'a secret is shown once',
  };

  /** T-5: what was made, or goes on, is where the answer says. */
  async function expectPlace(operationId: string, { headers, body }: Answer, token: string | undefined): Promise<void> {
    const place = headers.get('location');
    if (withoutPlace[operationId] !== undefined) return;
    expect({ operationId, place }).toEqual({ operationId, place: expect.stringMatching(/^\//) });
    const found = await stage.app.call('GET', place ?? '', { token });
    expect({ operationId, place, status: found.status }).toEqual({ operationId, place, status: 200 });
    if (body?.id !== undefined && place?.endsWith(`/${body.id}`)) expect(found.body.id).toBe(body.id);
  }

  const reused = { status: 422, body: { code: 'idempotency.key-reused' } };

  /** The body with another free text; undefined where it has none. */
  function withOtherText(body: unknown): { body: unknown } | undefined {
    const texts = ['reason', 'notes', 'name', 'full_name', 'title', 'comment', 'description'];
    const given = body as Record<string, unknown> | undefined;
    const name = texts.find((text) => typeof given?.[text] === 'string');
    return name === undefined ? undefined : { body: { ...given, [name]: `${String(given?.[name])} 2` } };
  }
});

describe('T-1: of parallel requests with one key one makes the change, and all get its answer', () => {
  each('parallel', commands, async (line) => {
    const { attempt, course, proof } = await prepared(line);
    const urls = [stage.app.url, stage.second.url, stage.app.url, stage.second.url];
    const answers = await Promise.all(urls.map((url) => attempt.send(url, { headers: proof })));
    for (const [index, answer] of answers.entries()) {
      if (answer.status !== 409) continue;
      expect(answer.body).toMatchObject({ code: 'idempotency.in-progress' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      answers[index] = await attempt.send(urls[index] ?? '', { headers: proof });
    }
    for (const answer of answers) {
      expectDone(answer);
      expect(essence(answer, line)).toEqual(essence(answers[0]!, line));
    }
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });
});

describe.each(['after-commit', 'before-commit'] as const)('T-1: the connection is cut once, %s', (point) => {
  each(point, commands.filter(({ kind }) => kind === 'A'), async (line) => {
    const { attempt, course, proof } = await prepared(line);
    const cuts = stage.proxy.cuts();
    stage.proxy.cutNext(point);
    const answer = await attempt.send(stage.cuttable.url, { headers: proof });
    expect(stage.proxy.cuts()).toBe(cuts + 1);
    // What follows by a workflow may be under way still.
    const done = isDone(answer) ? await attempt.settledEffects(course) : ofCourse(course, await attempt.effects());
    if (isDone(answer)) expect(done).toEqual(course.effects);
    else expect(answer).toMatchObject({ status: 503 });
    if (isCertain(answer)) expect(done).toEqual([]);
    const again = await attempt.send(stage.second.url, { headers: proof });
    expectDone(again);
    if (isDone(answer)) expect(essence(again, line)).toEqual(essence(answer, line));
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });
});
