import type { ContactOutcome } from '../../domain/assignment/assignment.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignTo, releaseAssignments } from './contact-assignment.service.ts';
import { autoAssignContacts } from './auto-assign.service.ts';
import { lockLivingCampaign } from './campaign-pool.service.ts';
import { enqueue } from './assignment-queue.service.ts';

/** Where the contacts of a person go. The pool of a deleted campaign is none. */
export interface HandOver {
  readonly from_user_id: string;
  /** Null: to the pool of the campaign; without campaign they wait to be taken by hand. */
  readonly to_user_id: string | null;
  /** The campaign that all contacts of the call belong to. */
  readonly campaign_id: string | null;
}

/**
 * Moves contacts from one person to another, to the pool of their campaign, or into its queue. A contact that the
 * person no longer looks after is left alone, so that repeating it does nothing.
 */
export async function handOverContacts(
  tx: Tx,
  contactIds: readonly string[],
  { from_user_id, to_user_id, campaign_id }: HandOver,
): Promise<ContactOutcome[]> {
  const hasPool = campaign_id !== null && (await lockLivingCampaign(tx, campaign_id));
  const open = await tx.sql
    .selectFrom('user_contact_assignment')
    .where('user_id', '=', from_user_id)
    .where('contact_id', 'in', [...contactIds])
    .where('released_at', 'is', null)
    .orderBy('contact_id')
    .select(['id', 'contact_id'])
    .forNoKeyUpdate()
    .execute();
  await releaseAssignments(tx, open.map(({ id }) => id));
  const still = new Set(open.map(({ contact_id }) => contact_id));
  const requests = contactIds
    .filter((contact_id) => still.has(contact_id))
    .map((contact_id) => ({ contact_id, from_user_id, preferred_user_id: null }));
  const moved = new Map(
    (await moveOn(tx, requests, { from_user_id, to_user_id, campaign_id: hasPool ? campaign_id : null })).map((outcome) => [
      outcome.contact_id,
      outcome,
    ]),
  );
  return contactIds.map(
    (contact_id) => moved.get(contact_id) ?? { contact_id, outcome: 'skipped', detail: 'owned_by_another', user_id: null },
  );
}

async function moveOn(
  tx: Tx,
  requests: readonly { contact_id: string; from_user_id: string; preferred_user_id: null }[],
  { from_user_id, to_user_id, campaign_id }: HandOver,
): Promise<ContactOutcome[]> {
  if (requests.length === 0) return [];
  if (to_user_id !== null) return assignTo(tx, { user_id: to_user_id, campaign_id }, requests, true);
  if (campaign_id !== null) {
    return autoAssignContacts(tx, { campaign_id, method: 'reassign', former_owner: from_user_id }, requests);
  }
  await enqueue(
    tx,
    { campaign_id: null, former_owner: from_user_id },
    requests.map((request) => ({ ...request, reason: { kind: 'no_campaign' } })),
  );
  return requests.map(({ contact_id }) => ({ contact_id, outcome: 'queued', detail: 'no_campaign', user_id: null }));
}
