import { sql } from 'kysely';
import { campaignGrants } from '../../../domain/assignment/campaign-permission.ts';
import type { CampaignPermissions } from '../../../domain/assignment/campaign-permission.ts';
import { campaignRights } from '../../../domain/identity/access.ts';
import { unknownReference } from '../../../platform/input-issues.ts';
import { Problem } from '../../../platform/problem.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../../platform/row-version.ts';
import { assertNotStronger } from '../../identity/role/effective-rights.service.ts';
import { endedMembership, lockCampaign, lockMember } from './campaign.repository.ts';

/** What a member may do, and how contacts are assigned to the member. */
export interface MemberSettings extends CampaignPermissions {
  readonly weight: number;
  readonly max_open_contacts: number | null;
  readonly auto_assign: boolean;
  /** Until when the member is absent, RFC 3339; null: present. */
  readonly paused_until: string | null;
}

/** The outcome of one campaign of a request (S3-41). */
interface CampaignOutcome {
  readonly campaign_id: string;
  readonly outcome: 'assigned' | 'skipped' | 'conflict';
  readonly detail: 'by_hand' | 'already_assigned' | 'not_found';
}

/** Whether there is an active user of this id. */
export async function isActiveUser(tx: Tx, userId: string): Promise<boolean> {
  return (await statusOf(tx, userId)) === 'active';
}

async function statusOf(tx: Tx, userId: string) {
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '<>', 'deleted')
    .select('status')
    .executeTakeFirst();
  return user?.status;
}

/**
 * @param pointer where the request names the user; null: its address does.
 * @throws Problem 404 when there is no such user, 422 where the body names one; 409 when the user is not active.
 */
export async function assertActiveUser(tx: Tx, userId: string, pointer: string | null = null): Promise<void> {
  const status = await statusOf(tx, userId);
  if (status === undefined) throw unknownReference(pointer, 'user');
  if (status !== 'active') {
    throw new Problem({
      code: 'assignment.user-inactive',
      detail: 'Campaigns and contacts can be assigned to active users only.',
      errors: pointer === null ? [] : [{ pointer, detail: 'is a user who is not active' }],
    });
  }
}

/** @throws Problem 404 when there is no such user, 422 when there is no such campaign, 409 for a user who is not active or not in the pool. */
export async function assertMember(tx: Tx, userId: string, campaignId: string): Promise<void> {
  await assertActiveUser(tx, userId);
  const member = await tx.sql
    .selectFrom('campaigns as c')
    .leftJoin('user_campaign_assignment as p', (join) =>
      join.onRef('p.campaign_id', '=', 'c.id').on('p.user_id', '=', userId).on('p.is_active', '=', true),
    )
    .where('c.id', '=', campaignId)
    .where('c.deleted_at', 'is', null)
    .select('p.id')
    .executeTakeFirst();
  if (member === undefined) throw unknownReference('/campaign_id', 'campaign');
  if (member.id === null) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'The user is not in the pool of this campaign.',
      errors: [{ pointer: '/campaign_id', detail: 'is a campaign whose pool this user is not in' }],
    });
  }
}

/**
 * Adds a user to the pools of campaigns (S3-3). A pool that the user is in already stays as it is (S3-43). A new
 * member starts with the average load of the others, by weight.
 *
 * @throws Problem 404 when there is no such user, 409 when the user is not active; `user.exceeds-own`.
 */
export async function joinCampaigns(
  tx: Tx,
  userId: string,
  campaignIds: readonly string[],
  settings: MemberSettings,
): Promise<CampaignOutcome[]> {
  await assertActiveUser(tx, userId);
  await assertNotStronger(tx, userId, campaignRights);
  const found = await tx.sql
    .selectFrom('campaigns')
    .where('id', 'in', [...campaignIds])
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .select('id')
    .forNoKeyUpdate()
    .execute();
  const known = new Set(found.map(({ id }) => id));
  const outcomes: CampaignOutcome[] = [];
  for (const campaign_id of campaignIds) {
    if (!known.has(campaign_id)) {
      outcomes.push({ campaign_id, outcome: 'conflict', detail: 'not_found' });
    } else if (await joinPool(tx, userId, campaign_id, settings)) {
      outcomes.push({ campaign_id, outcome: 'assigned', detail: 'by_hand' });
    } else {
      outcomes.push({ campaign_id, outcome: 'skipped', detail: 'already_assigned' });
    }
  }
  return outcomes;
}

async function joinPool(tx: Tx, user_id: string, campaign_id: string, settings: MemberSettings): Promise<boolean> {
  const joined = await tx.sql
    .insertInto('user_campaign_assignment')
    .values({
      tenant_id: tx.actor.tenant_id,
      user_id,
      campaign_id,
      ...settings,
      credit: sql<number>`coalesce((
        select ceil(sum(p.dealt_count + p.credit)::numeric * ${settings.weight}::int / sum(p.weight))
        from user_campaign_assignment p where p.campaign_id = ${campaign_id} and p.is_active), 0)`,
      open_contacts: sql<number>`(
        select count(*) from user_contact_assignment a
        where a.campaign_id = ${campaign_id} and a.user_id = ${user_id} and a.released_at is null)`,
      assigned_by: tx.actor.user_id,
    })
    // A literal, not a parameter: a cached generic plan would not match the partial index.
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'user_id', 'campaign_id']).where(sql<boolean>`is_active`).doNothing(),
    )
    .returning('id')
    .executeTakeFirst();
  if (joined === undefined) return false;
  tx.audit({
    event: 'assignment.join-campaign',
    action: 'create',
    resource_type: 'assignment',
    resource_id: joined.id,
    new_values: { user_id, campaign_id, ...settings },
  });
  return true;
}

/**
 * Changes permissions or settings of a member. A new weight scales the member's load with it, so that the member is owed
 * neither more nor less than before.
 *
 * @throws Problem 404 when the user is not in the pool; `user.exceeds-own` when permissions of somebody stronger would change.
 */
export async function updateMember(
  tx: Tx,
  campaign_id: string,
  user_id: string,
  changes: Partial<MemberSettings>,
): Promise<void> {
  await lockCampaign(tx, campaign_id);
  const before = await lockMember(tx, campaign_id, user_id);
  const changesRights = campaignGrants.some((grant) => changes[grant] !== undefined && changes[grant] !== before[grant]);
  if (changesRights) await assertNotStronger(tx, user_id, campaignRights);
  const { weight } = changes;
  await tx.sql
    .updateTable('user_campaign_assignment')
    .set({
      ...changes,
      ...(weight === undefined
        ? {}
        : { credit: sql<number>`ceil((dealt_count + credit)::numeric * ${weight}::int / weight) - dealt_count` }),
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('id', '=', before.id)
    .execute();
  const { id, ...old_values } = before;
  tx.audit({
    event: 'assignment.update-member',
    action: 'update',
    resource_type: 'assignment',
    resource_id: id,
    old_values,
    new_values: { ...old_values, ...changes },
  });
}

/**
 * Removes a member from a pool. The row stays as history (S3-43), and the contacts stay with the user.
 *
 * @throws Problem 404 when the user is not in the pool; `user.exceeds-own`.
 */
export async function removeMember(tx: Tx, campaign_id: string, user_id: string): Promise<{ id: string }> {
  const { id, ...old_values } = await lockMember(tx, campaign_id, user_id);
  await assertNotStronger(tx, user_id, campaignRights);
  await tx.sql
    .updateTable('user_campaign_assignment')
    .set(endedMembership())
    .where('id', '=', id)
    .execute();
  tx.audit({
    event: 'assignment.leave-campaign',
    action: 'delete',
    resource_type: 'assignment',
    resource_id: id,
    old_values: { user_id, campaign_id, ...old_values },
  });
  return { id };
}
