import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routes } from '../../src/api/routes.ts';
import { takesIdempotencyKey } from '../../src/api/http/route-description.ts';
import type { Answer } from '../support/api.ts';
import { fill, sampleBody } from '../support/route-samples.ts';
import { Attempt, essence, ofCourse, routeOf } from './commands/attempt.ts';
import type { Course, Proof } from './commands/attempt.ts';
import type { Command, Trial } from './commands/command-line.ts';
import { CommandStage, shortDeadlineMs } from './commands/stage.ts';
import { commandTable } from './commands/table.ts';

let stage: CommandStage;

beforeAll(async () => {
  stage = await CommandStage.open();
}, 60_000);

afterAll(() => stage.close());

const commands = commandTable.filter((line) => line.kind !== 'none');
const labelled = (lines: readonly Command[]) =>
  lines.map((line) => [`${line.kind} ${line.operationId}${line.variant === undefined ? '' : ` ${line.variant}`}`, line] as const);

/** Tries every line; of one with a known fault it is expected to fail. */
function each(trial: Trial, lines: readonly Command[], work: (line: Command) => Promise<void>): void {
  const isFaulty = (line: Command) => line.knownFaults?.[trial] !== undefined;
  it.each(labelled(lines.filter((line) => !isFaulty(line))))('%s', (_, line) => work(line));
  for (const [label, line] of labelled(lines.filter(isFaulty))) {
    it.failing(`${label} (known fault: ${line.knownFaults?.[trial] ?? ''})`, () => work(line));
  }
}

const courses = new Map<Command, Course>();

/** Sends a command for the first time, proven where it asks for that. */
async function first(attempt: Attempt, line: Command): Promise<Answer> {
  const asked = await attempt.send(stage.app.url);
  const asksForFactor = asked.status === 403 && asked.body.code === 'mfa.required';
  const answer = asksForFactor ? await attempt.send(stage.app.url, { headers: await attempt.prove(true) }) : asked;
  if (attempt.example.effects !== undefined) await attempt.settledEffects({ asksForFactor, effects: ['counted'] });
  courses.set(line, { asksForFactor, effects: await attempt.effects() });
  return answer;
}

/** How a command goes without faults, tried out where no test has done it yet. */
async function courseOf(line: Command): Promise<Course> {
  if (!courses.has(line)) await first(await Attempt.prepare(stage, line), line);
  return courses.get(line)!;
}

async function prepared(line: Command): Promise<Trying> {
  const course = await courseOf(line);
  const attempt = await Attempt.prepare(stage, line);
  return { attempt, course, proof: await attempt.prove(course.asksForFactor) };
}

interface Trying {
  readonly attempt: Attempt;
  readonly course: Course;
  readonly proof: Proof;
}

const isDone = ({ status }: Answer) => status >= 200 && status < 300;

/** Whether an answer says for certain that nothing was changed. */
const isCertain = ({ status, body }: Answer) => status === 503 && body.code !== 'service.outcome-unknown';

function expectDone(answer: Answer): void {
  expect(isDone(answer) ? 'done' : essence(answer)).toBe('done');
}

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
    expect(ofCourse(course, await attempt.effects())).toEqual(course.effects);
  });

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
    const done = ofCourse(course, await attempt.effects());
    if (isDone(answer)) expect(done).toEqual(course.effects);
    else expect(answer).toMatchObject({ status: 503 });
    if (isCertain(answer)) expect(done).toEqual([]);
    const again = await attempt.send(stage.second.url, { headers: proof });
    expectDone(again);
    if (isDone(answer)) expect(essence(again, line)).toEqual(essence(answer, line));
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });
});

/** What came of a line that was tried beside others. */
type Outcome = Trying & { readonly answer: Answer | null; readonly doneMeanwhile: readonly string[]; readonly again: Answer };

/**
 * Sends commands while no worker is there, has a worker come after their deadline, and repeats them at another process.
 *
 * @returns what came of each; what could not be tried throws when it is looked at.
 */
async function withoutWorker(send: (trying: Trying) => Promise<Answer | null>): Promise<Map<Command, () => Outcome>> {
  const records = new Map<Command, () => Outcome>();
  const tried: [Command, Trying][] = [];
  for (const line of withWorker) {
    const trying = await prepared(line).catch((error: unknown) => {
      records.set(line, () => {
        throw error;
      });
    });
    if (trying !== undefined) tried.push([line, trying]);
  }
  await stage.worker.stop();
  const stoppedAt = new Date();
  const answers = await Promise.all(tried.map(([, trying]) => send(trying)));
  await setTimeout(shortDeadlineMs);
  const startedAt = new Date();
  await stage.worker.start();
  await setTimeout(2 * shortDeadlineMs);
  const done = await Promise.all(tried.map(([, { attempt, course }]) => attempt.effects().then((all) => ofCourse(course, all))));
  leftovers.push(...(await stage.runningWorkflows(stoppedAt, startedAt)));
  const repeated = await Promise.all(tried.map(([, trying]) => repeatUntilDone(trying)));
  for (const [index, [line, trying]] of tried.entries()) {
    const again = repeated[index]!;
    records.set(line, () => ({ ...trying, answer: answers[index] ?? null, doneMeanwhile: done[index] ?? [], again }));
  }
  return records;
}

/** For some seconds Temporal gives the tasks of workflows that the former worker had in its cache to nobody else. */
const maxRepetitions = 4;

async function repeatUntilDone({ attempt, proof }: Trying): Promise<Answer> {
  for (let repetition = 1; ; repetition += 1) {
    const answer = await attempt.send(stage.second.url, { headers: proof });
    if (isDone(answer) || repetition === maxRepetitions) return answer;
  }
}

const withWorker = commands.filter(({ kind, needsWorker = true }) => kind === 'B' && needsWorker);
/** Workflows that were started while no worker was there, and run though their command was given up. */
const leftovers: string[] = [];

describe('T-1: no worker is there until the deadline has passed', () => {
  let records: Map<Command, () => Outcome>;

  beforeAll(async () => {
    records = await withoutWorker(({ attempt, proof }) => attempt.send(stage.hasty.url, { headers: proof }));
  }, 120_000);

  each('no worker', withWorker, async (line) => {
    const { attempt, course, answer, doneMeanwhile, again } = records.get(line)!();
    expect(answer).toMatchObject({ status: 503, body: { detail: expect.stringMatching(/nothing was changed/i) } });
    expect(doneMeanwhile).toEqual([]);
    expectDone(again);
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });
});

describe('T-1: no worker is there, and the caller goes away', () => {
  let records: Map<Command, () => Outcome>;

  beforeAll(async () => {
    records = await withoutWorker(({ attempt, proof }) => attempt.abandon(stage.hasty.url, proof, shortDeadlineMs / 2));
  }, 120_000);

  each('gone caller', withWorker, async (line) => {
    const { attempt, course, doneMeanwhile, again } = records.get(line)!();
    expect(doneMeanwhile).toEqual([]);
    expectDone(again);
    expect(await attempt.settledEffects(course)).toEqual(course.effects);
  });

  it('leaves no workflow of a command that was given up', () => {
    expect(leftovers).toEqual([]);
  });
});
