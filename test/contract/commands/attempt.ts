import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import { routes } from '../../../src/api/routes.ts';
import type { Route } from '../../../src/api/http/route.ts';
import { callApi } from '../../support/api.ts';
import type { Answer } from '../../support/api.ts';
import type { Command, Example } from './command-line.ts';
import type { CommandStage, Person } from './stage.ts';

/** The route of an operation. */
export function routeOf(operationId: string): Route {
  const route = routes.find((one) => one.operationId === operationId);
  if (route === undefined) throw new Error(`There is no route ${operationId}.`);
  return route;
}

/** How long effects may follow their answer. */
const settleWithinMs = 5_000;

interface Change {
  readonly path?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One command with its key, which is sent once or several times. */
export class Attempt {
  readonly person: Person;
  readonly requestId: string = randomUUID();
  readonly key: string = randomUUID();
  readonly #stage: CommandStage;
  readonly #method: string;
  readonly #example: Example;
  readonly #headers: Record<string, string>;

  private constructor(stage: CommandStage, command: Command, example: Example) {
    this.#stage = stage;
    this.#method = routeOf(command.operationId).method.toUpperCase();
    this.#example = example;
    this.person = example.person ?? stage.admin;
    this.#headers = { ...example.headers, 'idempotency-key': this.key, 'x-request-id': this.requestId };
  }

  /** Makes a target and a request on it. */
  static async prepare(stage: CommandStage, command: Command): Promise<Attempt> {
    return new Attempt(stage, command, await command.prepare(stage));
  }

  get example(): Example {
    return this.#example;
  }

  /** Sends the request, without a proof of the second factor. */
  send(url: string, { path = this.#example.path, body = this.#example.body, headers = {} }: Change = {}): Promise<Answer> {
    return callApi(url, this.#method, path, { token: this.person.token, body, headers: { ...this.#headers, ...headers } });
  }

  /** Sends the request and goes away. */
  async abandon(url: string, proof: Proof, afterMs: number): Promise<null> {
    const { path, body } = this.#example;
    const signal = AbortSignal.timeout(afterMs);
    const headers = { ...this.#headers, ...proof, authorization: `Bearer ${this.person.token}`, 'content-type': 'application/json' };
    const sent = fetch(new URL(path, url), { method: this.#method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return sent.then(
      () => Promise.reject(new Error('It was answered.')),
      (error: unknown) => (signal.aborted ? null : Promise.reject(error as Error)),
    );
  }

  /** The proof of the second factor, as a header; none where none is asked for. The request must be one that asks for it. */
  async prove(asksForFactor: boolean): Promise<Proof> {
    if (!asksForFactor) return {};
    const asked = await this.send(this.#stage.app.url);
    if (asked.body?.code !== 'mfa.required') throw new Error(`No proof was asked for: ${asked.status} ${JSON.stringify(asked.body)}`);
    return { 'x-mfa-token': await this.#stage.proof(this.person, asked.body) };
  }

  /** What was done, as soon as it is as much as a command does in its course. */
  async settledEffects(course: Course): Promise<string[]> {
    const done = async () => ofCourse(course, await this.effects());
    const untilMs = Date.now() + settleWithinMs;
    while ((await done()).length < course.effects.length && Date.now() < untilMs) await setTimeout(50);
    return done();
  }

  /** What was done so far, by the audit and by what the line counts itself. */
  async effects(): Promise<string[]> {
    const audited = await this.#stage.db
      .selectFrom('audit_logs')
      .select(['event', sql<string | null>`new_values ->> 'state'`.as('state')])
      .where('request_id', '=', this.requestId)
      .where('outcome', '=', 'success')
      .execute();
    const counted = (await this.#example.effects?.()) ?? 0;
    // An operation that goes on after its answer has entries for each state.
    const named = audited.map(({ event, state }) => (state === null ? event : `${event} ${state}`));
    const events = named.filter((event) => !event.startsWith('mfa.'));
    return [...events, ...Array.from({ length: counted }, () => 'counted')].toSorted();
  }
}

/** Headers with a proof of the second factor. */
export type Proof = Readonly<Record<string, string>>;

/** What a repetition must have in common with the first answer; not how far the operation has come since. */
export function essence({ status, body, headers }: Answer, { live = [] }: Pick<Command, 'live'> = {}) {
  const still = live.length === 0 ? body : { ...body, ...Object.fromEntries(live.map((name) => [name, null])) };
  return { status, body: still as unknown, etag: headers.get('etag'), location: headers.get('location') };
}

/** A command as it goes without faults: whether it asks for a factor, and what it has done when it is answered. */
export interface Course {
  readonly asksForFactor: boolean;
  readonly effects: readonly string[];
}

/** Of what was done, only what the command does itself; what follows from it later is not counted. */
export function ofCourse({ effects }: Course, done: readonly string[]): string[] {
  return done.filter((event) => effects.includes(event));
}
