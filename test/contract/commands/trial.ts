/* eslint-disable jest/no-export -- what the test files of the table share */
import { expect, it } from '@jest/globals';
import type { Answer } from '../../support/api.ts';
import { Attempt, essence } from './attempt.ts';
import type { Course, Proof } from './attempt.ts';
import type { Command, Trial } from './command-line.ts';
import { CommandStage } from './stage.ts';
import { commandTable } from './table.ts';

let opened: CommandStage | undefined;

/** The stage of the test file that runs; it opens and closes it. */
export const theStage = {
  open: async (): Promise<CommandStage> => (opened = await CommandStage.open()),
  close: async (): Promise<void> => opened?.close(),
};

function stageOfFile(): CommandStage {
  if (opened === undefined) throw new Error('The stage is opened by the test file.');
  return opened;
}

/** The lines of routes that take a key. */
export const commands = commandTable.filter((line) => line.kind !== 'none');
const labelled = (lines: readonly Command[]) =>
  lines.map((line) => [`${line.kind} ${line.operationId}${line.variant === undefined ? '' : ` ${line.variant}`}`, line] as const);

/** Tries every line; of one with a known fault it is expected to fail. */
export function each(trial: Trial, lines: readonly Command[], work: (line: Command) => Promise<void>): void {
  const isFaulty = (line: Command) => line.knownFaults?.[trial] !== undefined;
  it.each(labelled(lines.filter((line) => !isFaulty(line))))('%s', (_, line) => work(line));
  for (const [label, line] of labelled(lines.filter(isFaulty))) {
    it.failing(`${label} (known fault: ${line.knownFaults?.[trial] ?? ''})`, () => work(line));
  }
}

/** How the commands that were tried go without faults. */
export const courses = new Map<Command, Course>();

/** Sends a command for the first time, proven where it asks for that. */
export async function first(attempt: Attempt, line: Command): Promise<Answer> {
  const asked = await attempt.send(stageOfFile().app.url);
  const asksForFactor = asked.status === 403 && asked.body.code === 'mfa.required';
  const answer = asksForFactor ? await attempt.send(stageOfFile().app.url, { headers: await attempt.prove(true) }) : asked;
  if (attempt.example.effects !== undefined) await attempt.settledEffects({ asksForFactor, effects: ['counted'] });
  courses.set(line, { asksForFactor, effects: await attempt.effects() });
  return answer;
}

/** How a command goes without faults, tried out where no test has done it yet. */
async function courseOf(line: Command): Promise<Course> {
  if (!courses.has(line)) await first(await Attempt.prepare(stageOfFile(), line), line);
  return courses.get(line)!;
}

/** A target and a request on it that was not sent yet. */
export async function prepared(line: Command): Promise<Trying> {
  const course = await courseOf(line);
  const attempt = await Attempt.prepare(stageOfFile(), line);
  return { attempt, course, proof: await attempt.prove(course.asksForFactor) };
}

/** A command that is about to be tried. */
export interface Trying {
  readonly attempt: Attempt;
  readonly course: Course;
  readonly proof: Proof;
}

/** Whether it has succeeded. */
export const isDone = ({ status }: Answer) => status >= 200 && status < 300;

/** Whether an answer says for certain that nothing was changed. */
export const isCertain = ({ status, body }: Answer) => status === 503 && body.code !== 'service.outcome-unknown';

/** Shows what was answered instead. */
export function expectDone(answer: Answer): void {
  expect(isDone(answer) ? 'done' : essence(answer)).toBe('done');
}
