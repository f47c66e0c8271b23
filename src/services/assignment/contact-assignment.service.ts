import { sql } from 'kysely';
import type { AssignmentReason, ConflictRule, ContactOutcome } from '../../domain/assignment/assignment.ts';
import { unknownReference } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { auditAssigned } from './assignment-audit.service.ts';
import { autoAssignContacts } from './auto-assign.service.ts';
import type { AutoAssignRequest } from './auto-assign.service.ts';
import { leaveQueue } from './assignment-queue.service.ts';
import { lockCampaign, lockExistingCampaign } from './campaign/campaign.repository.ts';
import { assertActiveUser, assertMember } from './campaign/campaign-pool.service.ts';
import { lastOwners, lockContacts, releaseAssignments } from './contact.repository.ts';
import type { LockedContact } from './contact.repository.ts';

/** `manual`: all contacts to one user. `round_robin`: to the pool of a campaign, by the rule. */
type AssignTarget =
  | { readonly mode: 'manual'; readonly user_id: string; readonly campaign_id: string | null }
  | {
      readonly mode: 'round_robin';
      readonly campaign_id: string;
      readonly keep_owner: boolean;
      /** Whether contacts that belong to other campaigns, or to somebody by hand, are dealt as well. */
      readonly takes_from_others: boolean;
    };

/** What a caller asks for: contacts for a user or, with mode `round_robin`, for the pool that the user is a member of. */
interface ContactAssignmentRequest {
  readonly contact_ids: readonly string[];
  readonly campaign_id: string | null;
  readonly mode: AssignTarget['mode'];
  readonly on_conflict: ConflictRule;
  readonly keep_owner: boolean;
}

/**
 * {@link assignContacts} as asked for about a user.
 *
 * @throws Problem 409 when the user is not a member of the pool.
 */
export async function assignRequestedContacts(
  tx: Tx,
  userId: string,
  { contact_ids, campaign_id, mode, on_conflict, keep_owner }: ContactAssignmentRequest,
): Promise<ContactOutcome[]> {
  if (mode === 'manual' || campaign_id === null) {
    return assignContacts(tx, contact_ids, { mode: 'manual', user_id: userId, campaign_id }, on_conflict);
  }
  await assertMember(tx, userId, campaign_id);
  return assignContacts(tx, contact_ids, { mode, campaign_id, keep_owner, takes_from_others: true }, on_conflict);
}

/**
 * Assigns contacts by hand or by the rule (S3-4, S3-39, S3-41), in the order given. Repeating it changes nothing.
 *
 * @param onConflict what is done with contacts that have another owner.
 * @returns the outcome of each contact, in order.
 * @throws Problem 404 when there is no such user, `request.invalid` when there is no such campaign; `assignment.contact-owned` for
 *   the rule `fail`.
 */
export async function assignContacts(
  tx: Tx,
  contactIds: readonly string[],
  target: AssignTarget,
  onConflict: ConflictRule,
): Promise<ContactOutcome[]> {
  if (target.mode === 'manual') await assertActiveUser(tx, target.user_id);
  if (target.campaign_id !== null && !(await lockExistingCampaign(tx, target.campaign_id))) {
    throw unknownReference('/campaign_id', 'campaign');
  }
  const contacts = await lockContacts(tx, contactIds);
  const keepsOwner = target.mode === 'round_robin' && target.keep_owner;
  const preferred = keepsOwner ? await lastOwners(tx, contactIds) : new Map<string, string>();
  const settled = new Map<string, ContactOutcome>();
  const open: AutoAssignRequest[] = [];
  const released: string[] = [];
  const withdrawn: string[] = [];
  for (const contact_id of contactIds) {
    const contact = contacts.get(contact_id);
    const done = contact === undefined ? missing(contact_id) : outcomeWithoutChange(contact, target, onConflict);
    if (done !== null || contact === undefined) {
      settled.set(contact_id, done ?? missing(contact_id));
      continue;
    }
    if (contact.assignment_id !== null) released.push(contact.assignment_id);
    if (contact.queue_id !== null) withdrawn.push(contact.queue_id);
    open.push({ contact_id, from_user_id: contact.owner_id, preferred_user_id: preferred.get(contact_id) ?? null });
  }
  assertNoneOwned([...settled.values()], onConflict);
  await releaseAssignments(tx, released);
  await leaveQueue(tx, withdrawn, 'withdrawn');
  for (const outcome of await assignOpen(tx, target, open)) settled.set(outcome.contact_id, outcome);
  return contactIds.map((contact_id) => settled.get(contact_id) ?? missing(contact_id));
}

async function assignOpen(tx: Tx, target: AssignTarget, open: readonly AutoAssignRequest[]): Promise<ContactOutcome[]> {
  if (open.length === 0) return [];
  if (target.mode === 'manual') return assignTo(tx, target, open);
  return autoAssignContacts(tx, { campaign_id: target.campaign_id, method: 'round_robin', former_owner: null }, open);
}

/** Assigns contacts without an owner to one user, by hand or by a reassignment. */
export async function assignTo(
  tx: Tx,
  { user_id, campaign_id }: { readonly user_id: string; readonly campaign_id: string | null },
  requests: readonly Pick<AutoAssignRequest, 'contact_id' | 'from_user_id'>[],
  isReassignment = false,
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
        reason: sql<AssignmentReason>`${JSON.stringify(reasonOf(from_user_id, isReassignment))}::jsonb`,
        assigned_by: tx.actor.user_id,
      })),
    )
    .execute();
  for (const { contact_id, from_user_id } of requests) {
    const method = from_user_id === null ? 'manual' : 'reassign';
    auditAssigned(tx, { contact_id, from_user_id, user_id, campaign_id, method });
  }
  const detail = isReassignment ? 'handed_over' : 'by_hand';
  return requests.map(({ contact_id }) => ({ contact_id, outcome: 'assigned', detail, user_id }));
}

function reasonOf(from_user_id: string | null, isReassignment: boolean): AssignmentReason {
  return isReassignment && from_user_id !== null ? { kind: 'handed_over', from_user_id } : { kind: 'manual', from_user_id };
}

/** The outcome of a contact that is left as it is, or null. */
function outcomeWithoutChange(contact: LockedContact, target: AssignTarget, onConflict: ConflictRule): ContactOutcome | null {
  const { contact_id, owner_id, owner_campaign_id, queue_campaign_id } = contact;
  // Whether it is there is not told, as everywhere to who may not see it.
  if (target.mode === 'round_robin' && !target.takes_from_others && isOfOthers(contact, target.campaign_id)) return missing(contact_id);
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

/** Whether a contact is assigned through, or waits in the queue of, another campaign, or is somebody's by hand. */
function isOfOthers({ owner_id, owner_campaign_id, queue_campaign_id }: LockedContact, campaignId: string): boolean {
  if (owner_id !== null) return owner_campaign_id !== campaignId;
  return queue_campaign_id !== null && queue_campaign_id !== campaignId;
}

function missing(contact_id: string): ContactOutcome {
  return { contact_id, outcome: 'conflict', detail: 'not_found', user_id: null };
}

function assertNoneOwned(outcomes: readonly ContactOutcome[], onConflict: ConflictRule): void {
  const owned = outcomes.filter(({ detail }) => detail === 'owned_by_another');
  if (onConflict !== 'fail' || owned.length === 0) return;
  throw new Problem({
    code: 'assignment.contact-owned',
    detail: 'Nothing was assigned. Use on_conflict skip or reassign for contacts that other users own.',
    members: { contact_ids: owned.map(({ contact_id }) => contact_id) },
  });
}

/**
 * Takes a contact from its owner (S3-7); it has none then.
 *
 * @returns the campaign in whose pool the owner has capacity again, if the contact belonged to one.
 * @throws Problem 404 when the user does not own the contact.
 */
export async function unassignContact(
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
  // The campaign before the assignment, as everywhere: the same order of locks prevents deadlocks.
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
