import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { CampaignEntity } from '../../../entities/assignment/campaign.entity.ts';
import type { CastellanSchema } from '../../../entities/kysely-schema.ts';
import { now } from '../../../entities/shared/column-types.ts';
import { toRow } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import { campaignColumns } from './campaign.queries.ts';
import { endedMembership, lockCampaignForChange } from './campaign.repository.ts';

/** The fields of a campaign that people write. */
type CampaignValues = Pick<Selectable<CastellanSchema['campaigns']>, (typeof campaignColumns)[number]>;

/** Creates a campaign. @throws the database's unique violation when the name is taken (409). */
export async function createCampaign(tx: Tx, values: CampaignValues): Promise<string> {
  const { id } = tx.em.create(CampaignEntity, { ...values, created_by: tx.actor.user_id });
  await tx.flush();
  tx.audit({ event: 'campaign.create', action: 'create', resource_type: 'campaign', resource_id: id, new_values: values });
  return id;
}

/** Changes a campaign. @throws Problem 404, 412 for an older version, 422 for a period that ends before it begins. */
export async function updateCampaign(
  tx: Tx,
  id: string,
  version: number,
  changes: Partial<CampaignValues>,
): Promise<void> {
  const campaign = await lockCampaignForChange(tx, id, version);
  const before = toRow(campaign, campaignColumns);
  const after = { ...before, ...changes };
  if (after.starts_on !== null && after.ends_on !== null && after.ends_on < after.starts_on) {
    const errors = [{ pointer: '/ends_on', detail: 'must not be before starts_on' }];
    throw new Problem({ code: 'request.invalid', detail: 'A campaign cannot end before it starts.', errors });
  }
  tx.em.assign(campaign, changes);
  await tx.flush();
  tx.audit({
    event: 'campaign.update',
    action: 'update',
    resource_type: 'campaign',
    resource_id: id,
    old_values: before,
    new_values: after,
  });
}

/**
 * Deletes a campaign, removes the members of its pool and empties its queue. Contacts stay with their owners. The
 * transaction must have the assignments open.
 *
 * @throws Problem 404, 412 for an older version.
 */
export async function deleteCampaign(tx: Tx, id: string, version: number): Promise<void> {
  const campaign = await lockCampaignForChange(tx, id, version);
  const before = toRow(campaign, campaignColumns);
  tx.em.assign(campaign, { deleted_at: now() });
  await tx.flush();
  const left = await tx.sql
    .updateTable('user_campaign_assignment')
    .set(endedMembership())
    .where('campaign_id', '=', id)
    .where('is_active', '=', true)
    .returning('user_id')
    .execute();
  const withdrawn = await tx.sql
    .updateTable('assignment_queue')
    .set({ left_at: sql<string>`now()`, outcome: 'withdrawn' })
    .where('campaign_id', '=', id)
    .where('left_at', 'is', null)
    .returning('contact_id')
    .execute();
  tx.audit({
    event: 'campaign.delete',
    action: 'delete',
    resource_type: 'campaign',
    resource_id: id,
    old_values: before,
    new_values: { members_removed: left.map(({ user_id }) => user_id), contacts_withdrawn: withdrawn.length },
  });
}
