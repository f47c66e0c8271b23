import { sql } from 'kysely';
import type { AssignmentReason, ConflictRule, ContactOutcome } from '../../domain/assignment/assignment.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { auditAssigned } from './assignment-audit.service.ts';
import { autoAssignContacts } from './auto-assign.service.ts';
import type { DealRequest } from './auto-assign.service.ts';
import { lockCampaign, assertActiveUser } from './campaign-pool.service.ts';
import { leaveQueue } from './assignment-queue.service.ts';

/** By hand: everything to one person. By the rule: to the pool of a campaign. */
export type AssignTarget =
  | { readonly mode: 'manual'; readonly user_id: string; readonly campaign_id: string | null }
  | { readonly mode: 'round_robin'; readonly campaign_id: string; readonly keep_owner: boolean };

/**
 * Gives contacts to a person or deals them (S3-4, S3-39, S3-41), in the order given. Repeating it changes nothing.
 *
 * @param onConflict what is done with contacts that somebody else looks after.
 * @returns the outcome of each contact, in order.
 * @throws Problem 404 for a person or campaign that is not there; `assignment.contact-owned` where a conflict is to fail.
 */
export async function assignContacts(
  tx: Tx,
  contactIds: readonly string[],
  target: AssignTarget,
  onConflict: ConflictRule,
): Promise<ContactOutcome[]> {
  if (target.mode === 'manual') await assertActiveUser(tx, target.user_id);
  if (target.campaign_id !== null) await lockCampaign(tx, target.campaign_id);
  const contacts = await lockContacts(tx, contactIds);
  const keepsOwner = target.mode === 'round_robin' && target.keep_owner;
  const preferred = keepsOwner ? await lastOwners(tx, contactIds) : new Map<string, string>();
  const settled = new Map<string, ContactOutcome>();
  const open: DealRequest[] = [];
  const released: string[] = [];
  const withdrawn: string[] = [];
  for (const contact_id of contactIds) {
    const contact = contacts.get(contact_id);
    const done = contact === undefined ? missing(contact_id) : settledAlready(contact, target, onConflict);
    if (done !== null || contact === undefined) {
      settled.set(contact_id, done ?? missing(contact_id));
      continue;
    }
    if (contact.assignment_id !== null) released.push(contact.assignment_id);
    if (contact.queue_id !== null) withdrawn.push(contact.queue_id);
    open.push({ contact_id, from_user_id: contact.owner_id, preferred_user_id: preferred.get(contact_id) ?? null });
  }
  refuseOwned([...settled.values()], onConflict);
  await releaseAssignments(tx, released);
  await leaveQueue(tx, withdrawn, 'withdrawn');
  for (const outcome of await place(tx, target, open)) settled.set(outcome.contact_id, outcome);
  return contactIds.map((contact_id) => settled.get(contact_id) ?? missing(contact_id));
}

async function place(tx: Tx, target: AssignTarget, open: readonly DealRequest[]): Promise<ContactOutcome[]> {
  if (open.length === 0) return [];
  if (target.mode === 'manual') return assignTo(tx, target, open);
  return autoAssignContacts(tx, { campaign_id: target.campaign_id, method: 'round_robin', former_owner: null }, open);
}

/** Contacts without an owner go to one person, by hand or by a hand-over. */
export async function assignTo(
  tx: Tx,
  { user_id, campaign_id }: { readonly user_id: string; readonly campaign_id: string | null },
  requests: readonly Pick<DealRequest, 'contact_id' | 'from_user_id'>[],
  handedOver = false,
): Promise<ContactOutcome[]> {
  await tx.sql
    .insertInto('user_contact_assignment')
    .values(
      requests.map(({ contact_id, from_user_id }) => ({
        tenant_id: tx.actor.tenant_id,
        user_id,
        contact_id,
        campaign_id,
        method: from_user_id === null ? ('manual' as const) : ('reassign' as const),
        reason: sql<AssignmentReason>`${JSON.stringify(reasonOf(from_user_id, handedOver))}::jsonb`,
        assigned_by: tx.actor.user_id,
      })),
    )
    .execute();
  for (const { contact_id, from_user_id } of requests) {
    const method = from_user_id === null ? 'manual' : 'reassign';
    auditAssigned(tx, { contact_id, from_user_id, user_id, campaign_id, method });
  }
  const detail = handedOver ? 'handed_over' : 'by_hand';
  return requests.map(({ contact_id }) => ({ contact_id, outcome: 'assigned', detail, user_id }));
}

function reasonOf(from_user_id: string | null, handedOver: boolean): AssignmentReason {
  return handedOver && from_user_id !== null ? { kind: 'handed_over', from_user_id } : { kind: 'manual', from_user_id };
}

/** A contact that is there, locked, with whoever looks after it. */
interface LockedContact {
  readonly contact_id: string;
  readonly assignment_id: string | null;
  readonly owner_id: string | null;
  readonly owner_campaign_id: string | null;
  readonly queue_id: string | null;
  readonly queue_campaign_id: string | null;
}

/** Locks contacts in the order of their ids, so that two requests for the same ones cannot block each other for good. */
async function lockContacts(tx: Tx, contactIds: readonly string[]): Promise<Map<string, LockedContact>> {
  const ids = sql<string>`any(${[...contactIds]}::uuid[])`;
  const found = await tx.sql
    .selectFrom('contacts')
    .where('id', '=', ids)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .select('id')
    .forNoKeyUpdate()
    .execute();
  const waiting = await tx.sql
    .selectFrom('assignment_queue')
    .where('contact_id', '=', ids)
    .where('left_at', 'is', null)
    .select(['id', 'contact_id', 'campaign_id'])
    .execute();
  const owned = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('contact_id', '=', ids)
    .where('released_at', 'is', null)
    .select(['id', 'contact_id', 'user_id', 'campaign_id'])
    .execute();
  const owners = new Map(owned.map((row) => [row.contact_id, row]));
  const entries = new Map(waiting.map((row) => [row.contact_id, row]));
  return new Map(
    found.map(({ id }) => {
      const [owner, entry] = [owners.get(id), entries.get(id)];
      const contact: LockedContact = {
        contact_id: id,
        assignment_id: owner?.id ?? null,
        owner_id: owner?.user_id ?? null,
        owner_campaign_id: owner?.campaign_id ?? null,
        queue_id: entry?.id ?? null,
        queue_campaign_id: entry?.campaign_id ?? null,
      };
      return [id, contact];
    }),
  );
}

/** Who looks after each contact, or did so last. */
async function lastOwners(tx: Tx, contactIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('contact_id', '=', sql<string>`any(${[...contactIds]}::uuid[])`)
    .distinctOn('contact_id')
    .orderBy('contact_id')
    .orderBy('assigned_at', 'desc')
    .select(['contact_id', 'user_id'])
    .execute();
  return new Map(rows.map(({ contact_id, user_id }) => [contact_id, user_id]));
}

/** The outcome of a contact that nothing is to be done with, or null. */
function settledAlready(contact: LockedContact, target: AssignTarget, onConflict: ConflictRule): ContactOutcome | null {
  const { contact_id, owner_id, owner_campaign_id, queue_campaign_id } = contact;
  if (owner_id !== null) {
    const isSame = target.mode === 'manual' ? owner_id === target.user_id : owner_campaign_id === target.campaign_id;
    if (isSame && !(target.mode === 'round_robin' && onConflict === 'reassign')) {
      return { contact_id, outcome: 'skipped', detail: 'already_assigned', user_id: owner_id };
    }
    if (onConflict === 'reassign') return null;
    const outcome = onConflict === 'fail' ? 'conflict' : 'skipped';
    return { contact_id, outcome, detail: 'owned_by_another', user_id: owner_id };
  }
  const isWaiting = target.mode === 'round_robin' && queue_campaign_id === target.campaign_id;
  return isWaiting ? { contact_id, outcome: 'skipped', detail: 'already_waiting', user_id: null } : null;
}

function missing(contact_id: string): ContactOutcome {
  return { contact_id, outcome: 'conflict', detail: 'not_found', user_id: null };
}

function refuseOwned(outcomes: readonly ContactOutcome[], onConflict: ConflictRule): void {
  const owned = outcomes.filter(({ detail }) => detail === 'owned_by_another');
  if (onConflict !== 'fail' || owned.length === 0) return;
  throw new Problem({
    code: 'assignment.contact-owned',
    detail: 'Nothing was assigned. Use on_conflict skip or reassign for contacts that others look after.',
    members: { contact_ids: owned.map(({ contact_id }) => contact_id) },
  });
}

/** Ends assignments; their rows stay as history (S3-43). */
export async function releaseAssignments(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.sql
    .updateTable('user_contact_assignment')
    .set({ released_at: sql<string>`clock_timestamp()` })
    .where('id', '=', sql<string>`any(${[...ids]}::uuid[])`)
    .execute();
}

/**
 * Takes a contact from a person (S3-7); it has no owner then.
 *
 * @returns the campaign in whose pool a place is free now, if it was one's.
 * @throws Problem 404 when the person does not look after the contact.
 */
export async function removeContact(
  tx: Tx,
  user_id: string,
  contact_id: string,
): Promise<{ assignment_id: string; campaign_id: string | null }> {
  const assigned = () =>
    tx.sql
      .selectFrom('user_contact_assignment')
      .where('user_id', '=', user_id)
      .where('contact_id', '=', contact_id)
      .where('released_at', 'is', null)
      .select(['id', 'campaign_id', 'method']);
  const campaign_id = (await assigned().executeTakeFirst())?.campaign_id ?? null;
  // Before the assignment, like everybody who changes a pool: the order keeps two of them from blocking each other.
  if (campaign_id !== null) await lockCampaign(tx, campaign_id);
  const assignment = await assigned().forNoKeyUpdate().executeTakeFirst();
  if (assignment === undefined) throw notFound('assignment');
  await releaseAssignments(tx, [assignment.id]);
  tx.audit({
    event: 'contact.unassign',
    action: 'update',
    resource_type: 'contact',
    resource_id: contact_id,
    old_values: { user_id, campaign_id, method: assignment.method },
    new_values: { user_id: null },
  });
  return { assignment_id: assignment.id, campaign_id };
}
