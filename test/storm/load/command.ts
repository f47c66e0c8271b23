import type { Random } from '../random.ts';
import type { StormPerson, StormTenant } from './world.ts';

/** A request that is about to be sent. */
export interface Planned {
  readonly person: StormPerson;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** By which the effect is found: it stands in the rows that the command writes. */
  readonly marker: string;
  /** What it is done to, for `learn`. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has its own
  readonly about?: any;
}

/** A kind of command that the load is made of. */
export interface Operation {
  readonly name: string;
  /** Its share among the others. */
  readonly weight: number;
  /** Whether it is part of an approval. */
  readonly isApproval?: boolean;
  /** Event of the audit entry that one such change has. */
  readonly event: string;
  /** SQL that counts the effects of the markers `$1`: rows of marker and n; null where only the audit tells. */
  readonly effects: string | null;
  /** True where it succeeds without an effect when the thing is in that state already. */
  readonly mayChangeNothing?: boolean;
  /** True where an answer shows the present state, by which a repetition may differ. */
  readonly answersPresentState?: boolean;
  /** What is sent; null when there is nothing to do it to at the moment. */
  readonly plan: (tenant: StormTenant, random: Random) => Planned | null | Promise<Planned | null>;
  /** What the load learns from the first success. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- bodies of every shape
  readonly learn?: (tenant: StormTenant, planned: Planned, body: any) => void;
}

/** What an answer says of its command. */
export type Verdict =
  /** It was carried out. */
  | 'done'
  /** It was refused for a reason of its own; nothing was changed. */
  | 'refused'
  /** It could not be carried out now; nothing was changed. */
  | 'nothing'
  /** Another request with the key is under way. */
  | 'in progress'
  /** It is not known, or no answer came. */
  | 'unknown'
  /** An answer that says none of these. */
  | 'broken';

/** An answer as far as a repetition must have it in common. */
export interface Essence {
  readonly status: number;
  readonly etag: string | null;
  readonly location: string | null;
  readonly body: unknown;
}

/** One request and what came of it. Times in milliseconds since the epoch. */
export interface Attempt {
  readonly url: string;
  readonly sent_at: number;
  readonly ended_at: number;
  readonly verdict: Verdict;
  /** Null when no answer came. */
  readonly status: number | null;
  readonly code: string | null;
  readonly is_replay: boolean;
  /** Of a success only. */
  readonly essence: Essence | null;
  /** Why no answer came, or what a broken one said. */
  readonly detail: string | null;
}

/** How a command is sent: once, again to the same or the other process, or several times at once. */
export type Manner = 'once' | 'again' | 'other process' | 'at once';

/** A command with everything that was sent for it. */
export interface CommandRecord {
  readonly operation: Operation;
  readonly tenant: StormTenant;
  readonly planned: Planned;
  readonly key: string;
  readonly request_id: string;
  readonly manner: Manner;
  readonly attempts: Attempt[];
}

/**
 * What is known of a command from its answers. One success tells of success, whatever else was said. A refusal tells nothing
 * while a request is without an answer that has one effect or none: it may have come to a process that was stopped.
 */
export function outcomeOf({ attempts }: Pick<CommandRecord, 'attempts'>): 'done' | 'not done' | 'unknown' {
  if (attempts.some(({ verdict }) => verdict === 'done')) return 'done';
  const last = attempts.at(-1);
  if (last === undefined) return 'unknown';
  if (last.verdict === 'refused') return 'not done';
  const isCertain = attempts.every(({ verdict }) => verdict === 'nothing' || verdict === 'refused');
  return isCertain ? 'not done' : 'unknown';
}
