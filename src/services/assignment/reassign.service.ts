import type { ContactOutcome } from '../../domain/assignment/assignment.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { enqueueContacts } from './assignment-queue.service.ts';
import { autoAssignContacts } from './auto-assign.service.ts';
import { lockExistingCampaign } from './campaign/campaign.repository.ts';
import { releaseAssignments } from './contact.repository.ts';
import { assignTo } from './contact-assignment.service.ts';

/** Where the contacts of a user go. */
interface Reassignment {
  readonly from_user_id: string;
  /** Null: to the pool of the campaign; without campaign, or with a deleted one, they wait to be assigned by hand. */
  readonly to_user_id: string | null;
  /** The campaign that all contacts of the call belong to. */
  readonly campaign_id: string | null;
}

/**
 * Moves contacts from one user to another, to the pool of their campaign, or into its queue. Contacts that the user no
 * longer owns are skipped, so that repeating it changes nothing.
 *
 * @returns the outcome of each contact, in order.
 */
export async function reassignContacts(
  tx: Tx,
  contactIds: readonly string[],
  { from_user_id, to_user_id, campaign_id }: Reassignment,
): Promise<ContactOutcome[]> {
  const hasPool = campaign_id !== null && (await lockExistingCampaign(tx, campaign_id));
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
  const stillOwned = new Set(open.map(({ contact_id }) => contact_id));
  const requests = contactIds
    .filter((contact_id) => stillOwned.has(contact_id))
    .map((contact_id) => ({ contact_id, from_user_id, preferred_user_id: null }));
  const target = { from_user_id, to_user_id, campaign_id: hasPool ? campaign_id : null };
  const outcomes = await assignReleased(tx, requests, target);
  const byContact = new Map(outcomes.map((outcome) => [outcome.contact_id, outcome]));
  return contactIds.map(
    (contact_id) =>
      byContact.get(contact_id) ?? { contact_id, outcome: 'skipped', detail: 'owned_by_another', user_id: null },
  );
}

async function assignReleased(
  tx: Tx,
  requests: readonly { contact_id: string; from_user_id: string; preferred_user_id: null }[],
  { from_user_id, to_user_id, campaign_id }: Reassignment,
): Promise<ContactOutcome[]> {
  if (requests.length === 0) return [];
  if (to_user_id !== null) return assignTo(tx, { user_id: to_user_id, campaign_id }, requests, true);
  if (campaign_id !== null) {
    return autoAssignContacts(tx, { campaign_id, method: 'reassign', former_owner: from_user_id }, requests);
  }
  await enqueueContacts(
    tx,
    { campaign_id: null, former_owner: from_user_id },
    requests.map((request) => ({ ...request, reason: { kind: 'no_campaign' } })),
  );
  return requests.map(({ contact_id }) => ({ contact_id, outcome: 'queued', detail: 'no_campaign', user_id: null }));
}
