import { sql } from 'kysely';
import { fieldsToPutBack, fieldsToTake, mergeFields, undoDays, valuesOf } from '../../domain/client-record/client-merge.ts';
import type { MergeField, MergeValues } from '../../domain/client-record/client-merge.ts';
import { timestampText } from '../../domain/shared/timestamp-text.ts';
import { ClientMergeEntity } from '../../entities/client-record/client-merge.entity.ts';
import { ClientEntity } from '../../entities/client-record/client.entity.ts';
import { now } from '../../entities/shared/column-types.ts';
import { lockOne, toRow } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput, unknownReference } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertVersion } from '../../platform/row-version.ts';
import { moveBack, moveReferences } from './client-references.ts';
import { kindOpenAtBoth, waitingAnswer } from './data-request/requests-of-merge.queries.ts';

const resource_type = 'client';
const dayMs = 86_400_000;

/** Which client is merged into which, and what passes. */
export interface ClientMerging {
  /** The client that stays. */
  readonly client_id: string;
  readonly version: number;
  /** The client that is deleted by it. */
  readonly merged_id: string;
  readonly merged_version: number;
  /** Fields in which the value of the other one is the better one. */
  readonly take: readonly MergeField[];
}

/**
 * Merges a client into another one: what refers to it refers to the other from then on, and it is deleted, with its numbers.
 *
 * @returns the id of the merge.
 * @throws Problem 404 and 422 for clients that are not there, `client.not-mergeable`, 412 for an older version of either.
 */
export async function mergeClients(tx: Tx, { client_id, version, merged_id, merged_version, take }: ClientMerging): Promise<string> {
  if (client_id === merged_id) throw invalidInput([{ pointer: '/merged_id', detail: 'must be another client' }]);
  const { client, merged } = await lockBoth(tx, client_id, merged_id, sql`merged_into_id = ${merged_id}::uuid`);
  if (client === undefined) throw notFound('client');
  if (merged === undefined) throw unknownReference('/merged_id', 'client');
  for (const one of [client, merged]) assertPresent(one);
  assertVersion(client, version);
  assertMergedVersion(merged, merged_version);
  assertAlike(client, merged);
  const [before, theirs] = [toRow(client, mergeFields), toRow(merged, mergeFields)];
  assertTakeable(theirs, take);
  await assertRequestsMovable(tx, [client_id, merged_id]);
  const taken = fieldsToTake(before, theirs, take);
  const [former, given] = [valuesOf(before, taken), valuesOf(theirs, taken)];
  const times = await timesOfMerge(tx, client_id);

  // The deleted one goes first: what it was made of belongs to one client at a time.
  const deleted_at = now();
  tx.em.assign(merged, { deleted_at, merged_into_id: client_id });
  await tx.flush();
  // Whoever has read it before has read something else, also where no field was taken.
  tx.em.assign(client, { ...given, updated_at: now() });
  await tx.flush();
  const moved = await moveReferences(tx, merged_id, client_id);
  const { user_id } = tx.actor;
  const facts = { client_id, merged_id, taken_fields: taken, former_values: former, moved, merged_by: user_id, ...times };
  const merge = tx.em.create(ClientMergeEntity, facts);
  await tx.flush();

  const counts = Object.fromEntries(Object.entries(moved).map(([name, ids]) => [`moved_${name}`, ids.length]));
  const entry = { event: 'client.merge', action: 'update', resource_type } as const;
  // What was taken is about the other client: should the merge be undone, it must not be left among the entries about this one.
  tx.audit({ ...entry, resource_id: client_id, old_values: { replaced: former }, new_values: { taken_fields: taken, merged_id, merge_id: merge.id, ...counts } });
  tx.audit({
    ...entry,
    resource_id: merged_id,
    old_values: { deleted_at: null, merged_into_id: null },
    new_values: { deleted_at, merged_into_id: client_id, merge_id: merge.id },
  });
  return merge.id;
}

/**
 * Undoes a merge: the deleted client comes back, what referred to it refers to it again, and what the other one took goes back where
 * nobody has changed it since.
 *
 * @param nowMs milliseconds since the epoch.
 * @throws Problem 404, `client.merge-not-undoable`, `client.merge-expired`, `client.merge-followed`.
 */
export async function undoMerge(tx: Tx, mergeId: string, nowMs: number): Promise<void> {
  const found = await tx.sql.selectFrom('client_merges').where('id', '=', mergeId).select(['client_id', 'merged_id', 'moved']).executeTakeFirst();
  if (found === undefined) throw notFound('merge');
  const { client_id, merged_id } = found;
  const { client, merged } = await lockBoth(tx, client_id, merged_id, sql`merged_into_id = ${client_id}::uuid`);
  const merge = await lockOne(tx, ClientMergeEntity, { id: mergeId }, 'merge');
  if (client === undefined || merged === undefined) throw notFound('merge');
  assertUndoable(merge, [client, merged], nowMs);
  await assertLatest(tx, merge);
  await assertNoAnswerWaits(tx, [client_id], 'client.merge-not-undoable');

  const [before, theirs] = [toRow(client, mergeFields), toRow(merged, mergeFields)];
  const back = fieldsToPutBack(before, theirs, merge.taken_fields);
  const restored = valuesOf({ ...before, ...merge.former_values }, back);
  await assertOriginsFree(tx, [{ ...before, ...restored, is_active: client.deleted_at == null }, { ...theirs, is_active: true }], [client_id, merged_id]);
  const { deleted_at } = merged;
  tx.em.assign(client, restored);
  await tx.flush();
  tx.em.assign(merged, { deleted_at: null, merged_into_id: null });
  const undone_at = now();
  tx.em.assign(merge, { undone_at, undone_by: tx.actor.user_id, former_values: null, values_cleared_at: undone_at });
  await tx.flush();
  const moved_back = await moveBack(tx, merge.moved, client_id, merged_id);

  const entry = { event: 'client.unmerge', action: 'update', resource_type } as const;
  tx.audit({
    ...entry,
    resource_id: client_id,
    new_values: { restored, merged_id, merge_id: mergeId, moved_back },
  });
  tx.audit({
    ...entry,
    resource_id: merged_id,
    old_values: { deleted_at, merged_into_id: client_id },
    new_values: { deleted_at: null, merged_into_id: null, merge_id: mergeId },
  });
}

/**
 * Loads two clients and locks them, with the clients that a merge of the two moves, in the order of their ids, so that merges with
 * clients in common wait for each other and never in a circle. The others are changed by SQL, and so are not loaded.
 */
async function lockBoth(tx: Tx, clientId: string, mergedId: string, moved: ReturnType<typeof sql<boolean>>) {
  const ids = [clientId, mergedId];
  await sql`select id from clients where id = any(${ids}::uuid[]) or ${moved} order by id for no key update`.execute(tx.sql);
  const clients = await tx.em.find(ClientEntity, { id: { $in: ids } });
  const one = (id: string) => clients.find((client) => client.id === id);
  return { client: one(clientId), merged: one(mergedId) };
}

/** A client as it was locked. */
type Locked = NonNullable<Awaited<ReturnType<typeof lockBoth>>['client']>;

function notMergeable(detail: string, members: Readonly<Record<string, unknown>> = {}): Problem {
  return new Problem({ code: 'client.not-mergeable', detail, members });
}

function assertPresent({ id, deleted_at, erased_at, merged_into_id }: Locked): void {
  if (deleted_at == null) return;
  const merged_into = merged_into_id ?? null;
  if (merged_into !== null) throw notMergeable('One of the clients was merged already.', { client_id: id, merged_into_id: merged_into });
  throw notMergeable(erased_at == null ? 'One of the clients is deleted; restore it first.' : 'One of the clients was erased.', { client_id: id });
}

/** The version of the other one stands in the body. @throws Problem 412 that says so. */
function assertMergedVersion({ version }: Locked, expected: number): void {
  if (version === expected) return;
  throw new Problem({
    code: 'resource.version-mismatch',
    detail: 'The client that is to be merged has changed since it was read. Read it again and repeat the change.',
    errors: [{ pointer: '/merged_version', detail: `is ${version} by now` }],
    members: { current_version: version },
  });
}

/** @throws Problem `client.not-mergeable` for a person and a company, and where a number would be lost. */
function assertAlike(client: Locked, merged: Locked): void {
  if (client.kind !== merged.kind) throw notMergeable('A person and a company cannot be one client.');
  for (const number of ['cpf', 'cnpj'] as const) {
    if (client[number] != null || merged[number] == null) continue;
    throw notMergeable(`Only the other client has a ${number.toUpperCase()}, and a number stays with its record. Merge them the other way round.`, {
      client_id: merged.id,
      merged_id: client.id,
    });
  }
}

/** @throws Problem `client.not-mergeable` where one of them is about to be answered, or both have an open request of a kind. */
async function assertRequestsMovable(tx: Tx, clientIds: readonly string[]): Promise<void> {
  await assertNoAnswerWaits(tx, clientIds, 'client.not-mergeable');
  const kind = await kindOpenAtBoth(tx, clientIds);
  if (kind !== undefined) throw notMergeable(`Both clients have an open request for ${kind}. Answer or withdraw one of them first.`);
}

/** Whoever decides about an answer has to know whose data it is about until it is given. */
async function assertNoAnswerWaits(tx: Tx, clientIds: readonly string[], code: 'client.not-mergeable' | 'client.merge-not-undoable'): Promise<void> {
  const approval_id = await waitingAnswer(tx, clientIds);
  if (approval_id === undefined) return;
  throw new Problem({ code, detail: 'An approval waits to answer a request of one of the clients. Have it decided or cancelled first.', members: { approval_id } });
}

function assertTakeable(theirs: MergeValues, take: readonly MergeField[]): void {
  const issues = take.flatMap((field, place) =>
    theirs[field] === null ? [{ pointer: `/take/${place}`, detail: `The other client has no ${field}.` }] : [],
  );
  if (issues.length > 0) throw invalidInput(issues);
}

/** By the clock of the database, and after every earlier merge of this client: the last one is undone first. */
async function timesOfMerge(tx: Tx, clientId: string) {
  const clock = sql<{ at: string }>`select date_trunc('milliseconds',
      greatest(clock_timestamp(), max(created_at) + interval '1 millisecond')) as at
    from client_merges where client_id = ${clientId}::uuid`;
  const [row] = (await clock.execute(tx.sql)).rows;
  const at = row?.at ?? now();
  return { created_at: at, undo_until: timestampText(Date.parse(at) + undoDays * dayMs) };
}

/** A merge as it was locked. */
interface LockedMerge {
  readonly id: string;
  readonly client_id: string;
  readonly created_at: string;
  readonly undo_until: string;
  readonly undone_at?: string | null;
}

function assertUndoable(merge: LockedMerge, clients: readonly Locked[], nowMs: number): void {
  const refuse = (detail: string) => new Problem({ code: 'client.merge-not-undoable', detail });
  if (merge.undone_at != null) throw refuse('The merge is undone already.');
  if (clients.some(({ erased_at }) => erased_at != null)) throw refuse('One of the clients was erased; nothing is left to tell them apart.');
  if (Date.parse(merge.undo_until) > nowMs) return;
  throw new Problem({
    code: 'client.merge-expired',
    detail: `A merge can be undone for ${undoDays} days; what it replaced is not kept any longer.`,
    members: { undo_until: merge.undo_until },
  });
}

/** @throws Problem `client.merge-followed` that names the latest merge of the client that stayed. */
async function assertLatest(tx: Tx, { id, client_id, created_at }: LockedMerge): Promise<void> {
  const later = await tx.sql
    .selectFrom('client_merges as m')
    .innerJoin('clients as o', 'o.id', 'm.merged_id')
    .where('m.id', '<>', id)
    .where('m.undone_at', 'is', null)
    // An erased client does not come back: its merge stays and stands in nobody's way.
    .where('o.erased_at', 'is', null)
    .where((eb) => eb.or([eb('m.merged_id', '=', client_id), eb.and([eb('m.client_id', '=', client_id), eb('m.created_at', '>', created_at)])]))
    .orderBy('m.created_at', 'desc')
    .select(['m.id', 'm.client_id', 'm.merged_id'])
    .executeTakeFirst();
  if (later === undefined) return;
  throw new Problem({
    code: 'client.merge-followed',
    detail: 'The client was part of a later merge. Undo that one first.',
    members: { merge_id: later.id, client_id: later.client_id, merged_id: later.merged_id },
  });
}

type Origins = Pick<MergeValues, 'contact_id' | 'prospect_id'> & { readonly is_active: boolean };

/** What a client was made of belongs to one client at a time. @throws Problem `client.merge-not-undoable`. */
async function assertOriginsFree(tx: Tx, clients: readonly Origins[], ids: readonly string[]): Promise<void> {
  for (const field of ['contact_id', 'prospect_id'] as const) {
    const wanted = clients.flatMap((one) => (one.is_active && one[field] !== null ? [one[field]] : []));
    if (wanted.length === 0) continue;
    const other = await tx.sql
      .selectFrom('clients')
      .where(sql.ref(field), 'in', wanted)
      .where('deleted_at', 'is', null)
      .where('id', 'not in', ids)
      .select('id')
      .executeTakeFirst();
    if (other === undefined) continue;
    throw new Problem({
      code: 'client.merge-not-undoable',
      detail: `What one of the two was made of (${field}) belongs to another client by now.`,
      members: { client_id: other.id },
    });
  }
}
