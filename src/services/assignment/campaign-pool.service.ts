import { sql } from 'kysely';
import type { ExclusionReason, PoolMember } from '../../domain/assignment/auto-assign.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** What a person may do in a campaign (S3-8). */
export interface MemberPermissions {
  readonly can_view: boolean;
  readonly can_edit: boolean;
  readonly can_send: boolean;
  readonly can_manage: boolean;
}

/** How contacts are dealt to a member. */
export interface MemberSettings extends MemberPermissions {
  readonly weight: number;
  readonly max_open_contacts: number | null;
  readonly auto_assign: boolean;
  /** RFC 3339; null: present. */
  readonly paused_until: string | null;
}

/** What became of one campaign of a request (S3-41). */
export interface CampaignOutcome {
  readonly campaign_id: string;
  readonly outcome: 'assigned' | 'skipped' | 'conflict';
  readonly detail: 'by_hand' | 'already_assigned' | 'not_found';
}

/**
 * Makes whoever deals in a campaign wait for each other until the transaction ends (S3-40). Foreign keys to the campaign
 * are not held up.
 *
 * @throws Problem 404 when there is no such campaign.
 */
export async function lockCampaign(tx: Tx, campaignId: string): Promise<void> {
  if (!(await lockLivingCampaign(tx, campaignId))) throw notFound('campaign');
}

/** {@link lockCampaign} where a deleted campaign is no error. @returns whether there is such a campaign. */
export async function lockLivingCampaign(tx: Tx, campaignId: string): Promise<boolean> {
  const campaign = await tx.sql
    .selectFrom('campaigns')
    .where('id', '=', campaignId)
    .where('deleted_at', 'is', null)
    .select('id')
    .forNoKeyUpdate()
    .executeTakeFirst();
  return campaign !== undefined;
}

/** @throws Problem 404 for a person who is not there, 409 for one who is not active. */
export async function assertActiveUser(tx: Tx, userId: string): Promise<void> {
  const user = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '<>', 'deleted')
    .select('status')
    .executeTakeFirst();
  if (user === undefined) throw notFound('user');
  if (user.status !== 'active') {
    throw new Problem({ code: 'assignment.user-inactive', detail: 'Only active people get campaigns and contacts.' });
  }
}

/** The pool as SQL sees it; the query reads it, {@link poolOf} reads it inside a transaction. */
export function poolStatement(campaignId: string, formerOwner: string | null) {
  return sql<PoolMember & { exclusion: ExclusionReason | null }>`
    select user_id, weight, load, last_turn, open_contacts, max_open_contacts, exclusion
    from assignment_pool(${campaignId}::uuid, ${formerOwner}::uuid)`;
}

/** Who is in the pool and who of them could be dealt to now. */
export async function poolOf(tx: Tx, campaignId: string, formerOwner: string | null = null): Promise<PoolMember[]> {
  return (await poolStatement(campaignId, formerOwner).execute(tx.sql)).rows;
}

/**
 * Puts a person into the pools of campaigns (S3-3). Who is in one already stays as is (S3-43). A newcomer starts level
 * with the others.
 */
export async function assignCampaigns(
  tx: Tx,
  userId: string,
  campaignIds: readonly string[],
  settings: MemberSettings,
): Promise<CampaignOutcome[]> {
  await assertActiveUser(tx, userId);
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
    } else if (await join(tx, userId, campaign_id, settings)) {
      outcomes.push({ campaign_id, outcome: 'assigned', detail: 'by_hand' });
    } else {
      outcomes.push({ campaign_id, outcome: 'skipped', detail: 'already_assigned' });
    }
  }
  return outcomes;
}

async function join(tx: Tx, user_id: string, campaign_id: string, settings: MemberSettings): Promise<boolean> {
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
    // A literal, not a value: with a value in its place a kept plan does not find the partial index.
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
 * Changes what a member may do or gets. A new weight keeps the member level with the others.
 *
 * @throws Problem 404 when the person is not in the pool.
 */
export async function updateMember(
  tx: Tx,
  campaign_id: string,
  user_id: string,
  changes: Partial<MemberSettings>,
): Promise<void> {
  await lockCampaign(tx, campaign_id);
  const before = await findMember(tx, campaign_id, user_id);
  const { weight } = changes;
  await tx.sql
    .updateTable('user_campaign_assignment')
    .set((eb) => ({
      ...changes,
      ...(weight === undefined
        ? {}
        : { credit: sql<number>`ceil((dealt_count + credit)::numeric * ${weight}::int / weight) - dealt_count` }),
      version: eb('version', '+', 1),
      updated_at: sql<string>`now()`,
    }))
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
 * Takes a person out of a pool; the row stays as history (S3-43), and so do the contacts that the person looks after.
 *
 * @throws Problem 404 when the person is not in the pool.
 */
export async function removeMember(tx: Tx, campaign_id: string, user_id: string): Promise<{ id: string }> {
  const { id, ...old_values } = await findMember(tx, campaign_id, user_id);
  await tx.sql
    .updateTable('user_campaign_assignment')
    .set((eb) => ({
      is_active: false,
      removed_at: sql<string>`now()`,
      updated_at: sql<string>`now()`,
      version: eb('version', '+', 1),
    }))
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

/** @throws Problem 404. */
export async function findMember(tx: Tx, campaignId: string, userId: string) {
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
