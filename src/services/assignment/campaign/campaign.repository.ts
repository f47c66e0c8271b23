import { sql } from 'kysely';
import type { PoolMember } from '../../../domain/assignment/auto-assign.ts';
import { CampaignEntity } from '../../../entities/assignment/campaign.entity.ts';
import { lockOne } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { notFound } from '../../../platform/problem.ts';
import { assertVersion, nextVersion } from '../../../platform/row-version.ts';
import { poolStatement } from './campaign.queries.ts';

/**
 * Locks a campaign until the transaction ends, so that those who assign its contacts wait for each other (S3-40). Inserts
 * that only refer to the campaign by a foreign key are not held up.
 *
 * @throws Problem 404 when there is no such campaign.
 */
export async function lockCampaign(tx: Tx, campaignId: string): Promise<void> {
  if (!(await lockExistingCampaign(tx, campaignId))) throw notFound('campaign');
}

/** {@link lockCampaign} where a deleted campaign is not an error. @returns whether the campaign exists. */
export async function lockExistingCampaign(tx: Tx, campaignId: string): Promise<boolean> {
  const campaign = await tx.sql
    .selectFrom('campaigns')
    .where('id', '=', campaignId)
    .where('deleted_at', 'is', null)
    .select('id')
    .forNoKeyUpdate()
    .executeTakeFirst();
  return campaign !== undefined;
}

/** The members of a pool, each with the reason why the member gets nothing now. */
export async function loadPool(tx: Tx, campaignId: string, formerOwner: string | null = null): Promise<PoolMember[]> {
  return (await poolStatement(campaignId, formerOwner).execute(tx.sql)).rows;
}

/** What a membership of a pool has from its end on; the row stays as history (S3-43). */
export const endedMembership = () => ({
  is_active: false,
  removed_at: sql<string>`now()`,
  updated_at: sql<string>`now()`,
  version: nextVersion(),
});

/** Reads a member and locks the row until the transaction ends. @throws Problem 404. */
export async function lockMember(tx: Tx, campaignId: string, userId: string) {
  const member = await tx.sql
    .selectFrom('user_campaign_assignment')
    .where('campaign_id', '=', campaignId)
    .where('user_id', '=', userId)
    .where('is_active', '=', true)
    .select(['id', 'can_view', 'can_edit', 'can_send', 'can_manage'])
    .select(['weight', 'max_open_contacts', 'auto_assign', 'paused_until'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (member === undefined) throw notFound('assignment');
  return member;
}

/** Loads and locks a campaign that is to be changed. @throws Problem 404, 412 for an older version. */
export async function lockCampaignForChange(tx: Tx, id: string, version: number) {
  return assertVersion(await lockOne(tx, CampaignEntity, { id, deleted_at: null }, 'campaign'), version);
}
