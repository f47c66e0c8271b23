import type { CommandStage, Person } from './stage.ts';

/** A valid request on a target that was made for it. */
export interface Example {
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The stage's admin where no other is named. */
  readonly person?: Person;
  /** The same with another body or another query, as it may be sent too. */
  readonly other?: { readonly path?: string; readonly body?: unknown };
  /** How often the change was made, where the audit does not tell of the request; may follow the answer a little later. */
  readonly effects?: () => Promise<number>;
}

/** The ways in which a line is tried. */
export type Trial = 'once' | 'parallel' | 'after-commit' | 'before-commit' | 'no worker' | 'gone caller';

/** A route that makes its change in one transaction (`A`) or has a workflow make it (`B`). */
export interface Command {
  readonly operationId: string;
  readonly kind: 'A' | 'B';
  /** Tells several lines of one route apart. */
  readonly variant?: string;
  /** False where the API acts by itself, so that it is all the same whether a worker is there. */
  readonly needsWorker?: boolean;
  /** Why neither audit nor rows tell at once how often the change was made; then only the answers are compared. */
  readonly silent?: string;
  /** Fields of the answer that show how far an operation has come, by which a repetition differs. */
  readonly live?: readonly string[];
  readonly prepare: (stage: CommandStage) => Promise<Example>;
  /** What is known to be wrong, by trial. A trial that goes well nevertheless fails the test. */
  readonly knownFaults?: Readonly<Partial<Record<Trial, string>>>;
}

/** A route that takes no Idempotency-Key. */
export interface NoCommand {
  readonly operationId: string;
  readonly kind: 'none';
  readonly reason: string;
}

export type CommandLine = Command | NoCommand;

type Prepare = Command['prepare'];
type More = Pick<Command, 'variant' | 'needsWorker' | 'silent' | 'live' | 'knownFaults'>;

/** A line of a route that makes its change in one transaction. */
export function inTransaction(operationId: string, prepare: Prepare, more: More = {}): Command {
  return { operationId, kind: 'A', prepare, ...more };
}

/** A line of a route that has a workflow make its change. */
export function byWorkflow(operationId: string, prepare: Prepare, more: More = {}): Command {
  return { operationId, kind: 'B', prepare, ...more };
}

/** The header of a change that is based on a version. */
export function ifMatch(version: number): { 'if-match': string } {
  return { 'if-match': `"${version}"` };
}
