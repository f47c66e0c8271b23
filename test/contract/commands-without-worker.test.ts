import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { ofCourse } from './commands/attempt.ts';
import type { Command } from './commands/command-line.ts';
import { shortDeadlineMs } from './commands/stage.ts';
import type { CommandStage } from './commands/stage.ts';
import { commands, each, expectDone, isDone, prepared, theStage } from './commands/trial.ts';
import type { Trying } from './commands/trial.ts';

let stage: CommandStage;

beforeAll(async () => {
  stage = await theStage.open();
});

afterAll(() => theStage.close());

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
  // They end by themselves as soon as the worker comes to them.
  const running = () => stage.runningWorkflows(stoppedAt, startedAt);
  leftovers.push(...(await eventually(running, (ids) => ids.length === 0, patienceMs).catch(running)));
  const done = await Promise.all(tried.map(([, { attempt, course }]) => attempt.effects().then((all) => ofCourse(course, all))));
  const repeated = await Promise.all(tried.map(([, trying]) => repeatUntilDone(trying)));
  for (const [index, [line, trying]] of tried.entries()) {
    const again = repeated[index]!;
    records.set(line, () => ({ ...trying, answer: answers[index] ?? null, doneMeanwhile: done[index] ?? [], again }));
  }
  return records;
}

/**
 * For some seconds Temporal gives the tasks of workflows that the former worker had in its cache to nobody else, and a busy
 * machine then has all of them at once.
 */
const patienceMs = 200_000;

async function repeatUntilDone({ attempt, proof }: Trying): Promise<Answer> {
  const untilMs = Date.now() + patienceMs;
  for (;;) {
    const answer = await attempt.send(stage.second.url, { headers: proof });
    if (isDone(answer) || Date.now() > untilMs) return answer;
  }
}

const withWorker = commands.filter(({ kind, needsWorker = true }) => kind === 'B' && needsWorker);
/** Workflows that were started while no worker was there, and run though their command was given up. */
const leftovers: string[] = [];

describe('T-1: no worker is there until the deadline has passed', () => {
  let records: Map<Command, () => Outcome>;

  beforeAll(async () => {
    records = await withoutWorker(({ attempt, proof }) => attempt.send(stage.hasty.url, { headers: proof }));
  });

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
  });

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
