import { setTimeout } from 'node:timers/promises';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import { CommitUnknownError } from '../../platform/database/commit-outcome.ts';
import { isLockTimeout } from '../../platform/database/lock-timeout.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import {
  RepeatedCommand,
  answerOf,
  claimCommand,
  claimInTransaction,
  closeCommand,
  commandKey,
  findCommand,
  resultOf,
  storeAnswer,
  voidCommand,
} from '../../services/commands/command.repository.ts';
import type { CommandKey, StoredCommand } from '../../services/commands/command.repository.ts';
import type { ApiDeps } from '../deps.ts';
import { outcomeUnknown } from './database-problem.ts';
import { reply } from './route.ts';
import type { HttpResponse } from './route.ts';

/** How often a repetition looks for the outcome of the first request. */
const joinPauseMs = 50;

interface CommandOptions {
  readonly deps: ApiDeps;
  readonly actor: Actor;
  /** Makes the key; only called for what needs it. */
  readonly key: () => CommandKey;
  /** Whether the caller has sent the key, so that a repetition may come. */
  readonly isRepeatable: boolean;
  /** First step of the transaction after the claim: consumes the factor proof. */
  readonly begin: (tx: Tx) => Promise<void>;
  readonly present: (result: unknown) => HttpResponse;
  /** Told that the result of a command could not be stored for repetitions. */
  readonly onLostResult: (error: unknown) => void;
}

/**
 * The command of one request (ADR 23): it has an identity, a deadline and one outcome. Its row decides: the transaction that
 * makes the change takes the row, and nobody says that nothing was changed without having taken it first.
 */
export class RequestCommand {
  readonly #options: CommandOptions;
  #key: CommandKey | undefined;
  #answer: HttpResponse | undefined;
  #isDone = false;
  #isReplayed = false;

  constructor(options: CommandOptions) {
    this.#options = options;
  }

  /** The answer of {@link change}; undefined before it and for other commands. */
  get answer(): HttpResponse | undefined {
    return this.#answer;
  }

  /** True once the change is made, so that a later failure must not be answered as if it were not. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** True when another request with the same key has made the change. */
  get isReplayed(): boolean {
    return this.#isReplayed;
  }

  /**
   * The answer to a repetition of a command that is done, or undefined. What a workflow has done is presented by the handler,
   * which then gets the result from {@link throughWorkflow}.
   */
  async findAnswer(): Promise<HttpResponse | undefined> {
    if (!this.#options.isRepeatable) return undefined;
    const found = await findCommand(this.#options.deps, this.#keyOfCommand());
    return found?.state === 'done' ? await this.#answerOf(this.#replay(found)) : undefined;
  }

  /**
   * Makes a change in one transaction: claim, change, audit and stored answer are committed together or not at all.
   *
   * @param work its result is the answer; what is read for it is read inside the transaction.
   */
  async change(work: (tx: Tx) => Promise<unknown>): Promise<HttpResponse> {
    const { deps, actor, isRepeatable, begin, present } = this.#options;
    const key = this.#keyOfCommand();
    try {
      this.#answer = await unitOfWork(deps.db, actor, async (tx) => {
        const id = isRepeatable ? await claimInTransaction(tx, deps.keyring, key) : null;
        await begin(tx);
        const answer = present(await work(tx));
        if (id !== null) storeAnswer(tx, deps.keyring, key, id, answer);
        return answer;
      });
    } catch (error) {
      if (isLockTimeout(error)) throw inProgress(error);
      if (!(error instanceof RepeatedCommand)) throw error;
      this.#answer = await this.#repeatedAnswer();
    }
    this.#isDone = true;
    return this.#answer;
  }

  /**
   * Has a workflow make a change.
   *
   * A repetition that comes meanwhile waits for the outcome of the first, and takes the command over when its deadline has
   * passed without one.
   *
   * @param send sends the command until its deadline.
   * @param resultOfStored makes the result out of what the activity has stored, for a change that was made though `send`
   *   failed, and for repetitions.
   * @throws Problem why it was refused, or `service.outcome-unknown`.
   */
  async throughWorkflow<Result>(
    send: (command: WorkflowCommand) => Promise<Result>,
    resultOfStored: (stored: unknown, commandId: string) => Result | Promise<Result> = (stored) => stored as Result,
  ): Promise<Result> {
    const { deps, isRepeatable, onLostResult } = this.#options;
    const key = this.#keyOfCommand();
    const claimed = await this.#claim();
    const { command_id } = claimed;
    if ('state' in claimed) return resultOfStored(resultOf(deps.keyring, claimed), command_id);
    let result: Result;
    try {
      result = await send(claimed);
    } catch (error) {
      return resultOfStored(await this.#settle(command_id, error), command_id);
    }
    this.#isDone = true;
    // Where the workflow has written, the row is done already.
    if (isRepeatable) await closeCommand(deps, key, command_id, result).catch(onLostResult);
    return result;
  }

  /** The command that is claimed, or the one that is done. */
  async #claim(): Promise<WorkflowCommand | StoredCommand> {
    const { deps } = this.#options;
    const key = this.#keyOfCommand();
    const untilMs = Date.now() + 2 * deps.env.COMMAND_DEADLINE_MS;
    for (;;) {
      const startedMs = Date.now();
      const command_id = await claimCommand(deps, key, deps.env.COMMAND_DEADLINE_MS).catch((error: unknown) => {
        // A claim whose answer is lost may stand; nothing has been sent for it, so it is certain all the same.
        throw error instanceof CommitUnknownError ? certainRefusal(error) : error;
      });
      if (command_id !== null) return { command_id, waits_until: startedMs + deps.env.COMMAND_DEADLINE_MS };
      const found = await findCommand(deps, key);
      if (found?.state === 'done') return this.#replay(found);
      if (Date.now() > untilMs) throw inProgress();
      await setTimeout(joinPauseMs);
    }
  }

  /**
   * Finds out what became of a command whose sender got an error, which proves nothing: it is refused for certain only when
   * its row could be taken.
   *
   * @returns what the activity has stored, when it was carried out all the same.
   */
  async #settle(commandId: string, error: unknown): Promise<unknown> {
    const { deps } = this.#options;
    const key = this.#keyOfCommand();
    let isVoid: boolean;
    let found: StoredCommand | undefined;
    try {
      isVoid = await voidCommand(deps, key, commandId);
      if (!isVoid) found = await findCommand(deps, key);
    } catch {
      throw outcomeUnknown(error);
    }
    // Otherwise a repetition has taken the command over with an id of its own.
    const isOurs = found?.command_id === commandId;
    if (isVoid || (isOurs && found?.state === 'void')) throw await this.#refusalOf(error);
    if (!isOurs || found?.state !== 'done') throw outcomeUnknown(error);
    this.#isDone = true;
    return resultOf(deps.keyring, found);
  }

  /** What the caller of a command that was certainly not carried out gets; the error only chooses the words. */
  async #refusalOf(error: unknown): Promise<Problem> {
    const problem = certainRefusal(error);
    if (problem.code !== 'service.unavailable') return problem;
    const { worker } = await this.#options.deps.temporal.recentStatus();
    if (worker !== 'down') return problem;
    return new Problem({
      code: 'service.no-worker',
      detail: 'No worker carries out workflows at present. Nothing was changed.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }

  async #repeatedAnswer(): Promise<HttpResponse> {
    const found = await findCommand(this.#options.deps, this.#keyOfCommand());
    const answer = found?.state === 'done' ? await this.#answerOf(found) : undefined;
    if (found === undefined || answer === undefined) throw inProgress();
    this.#replay(found);
    return answer;
  }

  /** This request repeats a command that is done. */
  #replay(found: StoredCommand): StoredCommand {
    this.#isReplayed = true;
    this.#isDone = true;
    return found;
  }

  #keyOfCommand(): CommandKey {
    this.#key ??= this.#options.key();
    return this.#key;
  }

  async #answerOf(found: StoredCommand): Promise<HttpResponse | undefined> {
    const stored = await answerOf(this.#options.deps, this.#keyOfCommand(), found);
    return stored === null ? undefined : reply(stored.status, stored.body, { ...stored.headers });
  }
}

/**
 * The command of a public route whose handler has found out by itself whose account it acts for: it is kept under that
 * account. Its caller has no key for it.
 */
export function commandOfAccount(deps: ApiDeps, owner: Actor, operation: string): Pick<RequestCommand, 'throughWorkflow'> {
  const request = { operation, params: {}, query: {}, ifMatch: null, body: null };
  return new RequestCommand({
    deps,
    actor: owner,
    key: () => commandKey(owner, null, request),
    isRepeatable: false,
    begin: async () => undefined,
    present: (result) => reply(200, result),
    onLostResult: () => undefined,
  });
}

function certainRefusal(error: unknown): Problem {
  const isOfWorkflow = error instanceof Problem && error.code !== 'command.void';
  if (isOfWorkflow && (error.status < 500 || error.code === 'service.outcome-unknown')) return error;
  const [code, detail, retryAfterSeconds] =
    isOfWorkflow
      ? [error.code, error.message, error.retryAfterSeconds ?? 5]
      : ['service.unavailable' as const, 'The workflow service did not carry out the change.', 5];
  return new Problem({ code, detail: `${detail} Nothing was changed.`, retryAfterSeconds, cause: error });
}

function inProgress(cause?: unknown): Problem {
  return new Problem({
    code: 'idempotency.in-progress',
    detail: 'The first request with this Idempotency-Key is still running. Try again shortly.',
    retryAfterSeconds: 1,
    cause,
  });
}
