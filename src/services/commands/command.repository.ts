import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { CommandState } from '../../entities/shared/idempotency-key.entity.ts';
import { Problem } from '../../platform/problem.ts';
import { read, writeInfrastructure } from '../../platform/database/read.ts';
import { lockTimeout, setLockTimeout } from '../../platform/database/lock-timeout.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { isAnyErased } from '../identity/person-traces.service.ts';

const maxKeyLength = 255;
/** How long an outcome is told to repetitions. */
const replaySeconds = 24 * 3600;
/** Longest wait for another transaction that holds the row of the same command. */
const lockTimeoutMs = 3_000;

/** The HTTP answer to a request, which its repetitions get too. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What a repetition is recognised by: everything that tells one request from another. */
export interface CommandRequest {
  readonly operation: string;
  readonly params: unknown;
  readonly query: unknown;
  readonly ifMatch: string | null;
  /** As it was sent: a default that a later release adds must not make a running key another request's. */
  readonly body: unknown;
}

/** The name of a command: whose key, and for which request. */
export interface CommandKey {
  readonly tenant_id: string;
  readonly principal: string;
  readonly key: string;
  /** The request as one text; stored as a keyed fingerprint, because it may hold a password. */
  readonly request: string;
}

/**
 * The key that a caller has sent (draft-ietf-httpapi-idempotency-key-header-07), or one of our own. Not the request id,
 * which callers and proxies choose.
 *
 * @param given null where the caller sent none.
 * @throws Problem `idempotency.key-invalid` (400).
 */
export function commandKey(actor: Actor, given: string | null, request: CommandRequest): CommandKey {
  if (given !== null && (given.length > maxKeyLength || !/^[\x21-\x7e]+$/.test(given))) {
    throw new Problem({
      code: 'idempotency.key-invalid',
      detail: `An Idempotency-Key has 1 to ${maxKeyLength} visible ASCII characters.`,
    });
  }
  const { operation, params, query, ifMatch, body } = request;
  return {
    tenant_id: actor.tenant_id,
    principal: actor.user_id ?? actor.session_id ?? actor.kind,
    key: given ?? randomUUID(),
    // Nothing repeats a key of our own.
    request: given === null ? '' : canonicalJson([operation, params, query, ifMatch, body ?? null]),
  };
}

/** A command as its row shows it. */
export interface StoredCommand {
  readonly command_id: string;
  readonly state: CommandState;
  readonly fingerprint: Uint8Array;
  readonly status: number | null;
  readonly response_sealed: string | null;
}

/**
 * Claims a command. A row that is over is taken over with a new id: one that has expired, one that is void, or an open one
 * whose deadline has passed; of the attempt before nothing can be carried out any more.
 *
 * @param ttlMs how long it may be carried out.
 * @returns a statement with one row, or none where the key belongs to a command that is open or done.
 */
function claimQuery(keyring: Keyring, { tenant_id, principal, key, request }: CommandKey, commandId: string, ttlMs: number) {
  const fingerprint = Buffer.from(keyring.fingerprint(request));
  const statement = sql<{ command_id: string }>`
    insert into idempotency_keys as k (tenant_id, principal, key, fingerprint, command_id, state, not_after, expires_at)
    values (${tenant_id}, ${principal}, ${key}, ${fingerprint}, ${commandId}, 'open',
      clock_timestamp() + make_interval(secs => ${ttlMs / 1000}), now() + make_interval(secs => ${replaySeconds}))
    on conflict (tenant_id, principal, key) do update
      set fingerprint = excluded.fingerprint, command_id = excluded.command_id, state = 'open', status = null,
        response_sealed = null, not_after = excluded.not_after, created_at = now(), expires_at = excluded.expires_at
      where k.expires_at <= now() or k.state = 'void'
        or (k.state = 'open' and k.not_after <= clock_timestamp() and k.fingerprint = excluded.fingerprint)
    returning command_id`;
  return { compile: () => statement.compile(kysely) };
}

/** The transaction has come to a command that was carried out, or is being carried out: it must be rolled back. */
export class RepeatedCommand extends Error {
  override readonly name = 'RepeatedCommand';
}

/**
 * Claims a command inside the transaction that carries it out. A parallel repetition waits here for the end of the first.
 *
 * @returns its id.
 * @throws RepeatedCommand when the key belongs to another; {@link findCommand} tells which.
 */
export async function claimInTransaction(tx: Tx, keyring: Keyring, key: CommandKey): Promise<string> {
  setLockTimeout(tx, lockTimeoutMs);
  const id = randomUUID();
  const { rows } = await tx.sql.executeQuery(claimQuery(keyring, key, id, lockTimeoutMs).compile());
  if (rows.length === 0) throw new RepeatedCommand();
  setLockTimeout(tx, 0);
  return id;
}

/** Stores the answer in the transaction of the change; sealed, because it may contain what only this caller may see. */
export function storeAnswer(tx: Tx, keyring: Keyring, key: CommandKey, commandId: string, answer: StoredAnswer): void {
  const response_sealed = keyring.seal(JSON.stringify(answer), placeOfAnswer(key));
  tx.defer(commandOf(key.tenant_id, commandId).set({ state: 'done', status: answer.status, response_sealed }));
}

type Deps = Pick<ProcessDeps, 'db' | 'keyring'>;

/**
 * Claims a command that a workflow is to carry out.
 *
 * @returns its id, or null where the key belongs to a command that is open or done.
 */
export async function claimCommand({ db, keyring }: Deps, key: CommandKey, ttlMs: number): Promise<string | null> {
  const rows = await writeInfrastructure(db, scopeOf(key), claimQuery(keyring, key, randomUUID(), ttlMs));
  return rows[0]?.command_id ?? null;
}

/**
 * The command of a key, or undefined.
 *
 * @throws Problem `idempotency.key-reused` (422) when it is another request's.
 */
export async function findCommand({ db, keyring }: Deps, key: CommandKey): Promise<StoredCommand | undefined> {
  const query = kysely
    .selectFrom('idempotency_keys')
    .where('tenant_id', '=', key.tenant_id)
    .where('principal', '=', key.principal)
    .where('key', '=', key.key)
    .where('expires_at', '>', sql<string>`now()`)
    .select(['command_id', 'state', 'fingerprint', 'status', 'response_sealed']);
  const [found] = await read(db, scopeOf(key), query);
  if (found === undefined) return undefined;
  const print = Buffer.from(found.fingerprint).toString('latin1');
  if (found.state !== 'void' && !keyring.matchesFingerprint(key.request, print)) {
    throw new Problem({
      code: 'idempotency.key-reused',
      detail: 'This Idempotency-Key was used for another request. Use a new key.',
    });
  }
  return found;
}

/**
 * The HTTP answer of a command that is done; null where a workflow has carried it out.
 *
 * @throws Problem `idempotency.answer-erased` where it names somebody who was erased since: it was stored before, with what they were
 *   called.
 */
export async function answerOf({ db, keyring }: Deps, key: CommandKey, command: StoredCommand): Promise<StoredAnswer | null> {
  const { status, response_sealed } = command;
  if (status === null || response_sealed === null) return null;
  const text = keyring.open(response_sealed, placeOfAnswer(key));
  const named = [...new Set(text.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g))];
  if (!(await isAnyErased(db, scopeOf(key), named))) return JSON.parse(text) as StoredAnswer;
  throw new Problem({
    code: 'idempotency.answer-erased',
    detail: 'The first request with this Idempotency-Key was carried out. Its answer is about somebody who was erased since, and is not given any more.',
  });
}

/** What the workflow of a command that is done has answered. */
export function resultOf(keyring: Keyring, command: Pick<StoredCommand, 'command_id' | 'response_sealed'>): unknown {
  const { command_id, response_sealed } = command;
  return response_sealed === null ? null : (JSON.parse(keyring.open(response_sealed, placeOfResult(command_id))) as unknown);
}

function sealResult(keyring: Keyring, commandId: string, result: unknown): string {
  return keyring.seal(JSON.stringify(result ?? null), placeOfResult(commandId));
}

/** The update of one command; what is set, and in which state it must be, is added. */
function commandOf(tenantId: string, commandId: string) {
  return kysely.updateTable('idempotency_keys').where('tenant_id', '=', tenantId).where('command_id', '=', commandId);
}

/** An open command is done, with what it has answered. */
function closeQuery(keyring: Keyring, tenantId: string, commandId: string, result: unknown) {
  return commandOf(tenantId, commandId)
    .set({ state: 'done', response_sealed: sealResult(keyring, commandId, result) })
    .where('state', '=', 'open');
}

/**
 * Gives an open command up: what is still under way for it can write nothing from now on.
 *
 * @returns false when it is not open any more, so that its row has to be read.
 * @throws the driver's error, also when the row is locked by a transaction that may be carrying it out: the outcome is open.
 */
export async function voidCommand(deps: Pick<Deps, 'db'>, key: CommandKey, commandId: string): Promise<boolean> {
  const voided = commandOf(key.tenant_id, commandId).set({ state: 'void' }).where('state', '=', 'open').returning('command_id');
  const bound = { compile: () => lockTimeout(lockTimeoutMs).compile(kysely) };
  const rows = await writeInfrastructure(deps.db, scopeOf(key), voided, [bound]);
  return rows.length > 0;
}

/**
 * Records the result of a command whose workflow had nothing to write, so that a repetition gets the same. One that is not
 * open is left alone.
 */
export async function closeCommand(deps: Deps, key: CommandKey, commandId: string, result: unknown): Promise<void> {
  await writeInfrastructure(deps.db, scopeOf(key), closeQuery(deps.keyring, key.tenant_id, commandId, result));
}

/**
 * Carries out a command in an activity: takes its row as the first statement of the transaction, and stores the result as
 * the last. A command that this activity, or the same one in another run, has carried out is not carried out again.
 *
 * @param commandId undefined in workflows from before commands, and for what nobody waits for.
 * @param again reads the result of a command that was carried out before; without it, it is the one that was stored.
 * @throws Problem `command.void` when it was given up, or its time is over; then nothing may be written.
 */
export async function carryOut<Result>(
  tx: Tx,
  keyring: Keyring,
  commandId: string | undefined,
  work: () => Promise<Result>,
  again?: () => Promise<Result>,
): Promise<Result> {
  if (commandId === undefined) return work();
  setLockTimeout(tx, lockTimeoutMs);
  const command = commandOf(tx.actor.tenant_id, commandId);
  const take = command
    .set({ state: 'done' })
    .where('state', '=', 'open')
    .where('not_after', '>', sql<string>`clock_timestamp()`)
    .returning('command_id');
  const { rows: taken } = await tx.sql.executeQuery(take.compile());
  if (taken.length === 0) {
    const earlier = (await earlierResult(tx, keyring, commandId)) as Result;
    return again === undefined ? earlier : again();
  }
  setLockTimeout(tx, 0);
  const result = await work();
  tx.defer(command.set({ response_sealed: sealResult(keyring, commandId, result) }));
  return result;
}

/** {@link carryOut} in a unit of work of its own: what most activities do. */
export function commandUnitOfWork<Result>(
  { db, keyring }: Deps,
  actor: Actor,
  commandId: string | undefined,
  work: (tx: Tx) => Promise<Result>,
  again?: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  return unitOfWork(db, actor, (tx) =>
    carryOut(tx, keyring, commandId, () => work(tx), again === undefined ? undefined : () => again(tx)),
  );
}

/** Stores the result of an open command in a transaction that its own request makes, whatever time it has taken. */
export function storeResult(tx: Tx, keyring: Keyring, commandId: string, result: unknown): void {
  tx.defer(closeQuery(keyring, tx.actor.tenant_id, commandId, result));
}

/** Gives an open command up inside a transaction that then looks for what it has done: later it can do nothing. */
export function giveUpCommand(tx: Tx, commandId: string): void {
  tx.defer(commandOf(tx.actor.tenant_id, commandId).set({ state: 'void' }).where('state', '=', 'open'));
}

/** Marks a command as not carried out after all, in the transaction that takes back what it has changed. */
export function undoCommand(tx: Tx, commandId: string): void {
  const undone = commandOf(tx.actor.tenant_id, commandId).set({ state: 'void', response_sealed: null });
  tx.defer(undone.where('status', 'is', null));
}

async function earlierResult(tx: Tx, keyring: Keyring, commandId: string): Promise<unknown> {
  const found = await tx.sql
    .selectFrom('idempotency_keys')
    .where('tenant_id', '=', tx.actor.tenant_id)
    .where('command_id', '=', commandId)
    .select(['command_id', 'state', 'response_sealed'])
    .executeTakeFirst();
  if (found?.state !== 'done') {
    throw new Problem({ code: 'command.void', detail: 'The command was given up; nothing was changed.' });
  }
  return resultOf(keyring, found);
}

function scopeOf({ tenant_id }: CommandKey) {
  return { tenant_id, user_id: null };
}

const sealedColumn = { table: 'idempotency_keys', column: 'response_sealed' };

function placeOfAnswer({ tenant_id, principal, key }: CommandKey) {
  return { ...sealedColumn, row_id: `${tenant_id}/${principal}/${key}` };
}

/** An activity knows the command by its id only. */
function placeOfResult(commandId: string) {
  return { ...sealedColumn, row_id: commandId };
}
