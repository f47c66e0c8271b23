import { sql } from 'kysely';
import type { PoolMember } from '../../../domain/assignment/auto-assign.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import type { CampaignStatus } from '../../../entities/assignment/campaign.entity.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { newestFirst } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadDeps } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';
import { readAssignments } from '../assignment-access.service.ts';
import { visibleCampaigns } from '../visible-rows.queries.ts';

/** The columns that people write. */
export const campaignColumns = ['name', 'description', 'channel', 'status', 'starts_on', 'ends_on'] as const;

/** Campaigns that are not deleted, with the columns of an answer. */
function campaignsQuery() {
  return kysely
    .selectFrom('campaigns')
    .where('deleted_at', 'is', null)
    .select(['id', ...campaignColumns, 'created_by', 'created_at', 'updated_at', 'version']);
}

/** A page of the campaigns that the actor may see, newest first. */
export function campaignList(actor: Actor, { status, ...page }: Page & { readonly status?: CampaignStatus | undefined }) {
  return campaignsQuery()
    .where((eb) => eb.and({ status }))
    .where(visibleCampaigns(actor))
    .$call(newestFirst(page));
}

/** Reads one campaign. @throws Problem 404. */
export async function loadCampaign({ db }: ReadDeps, actor: Actor, id: string) {
  const [campaign] = await read(db, actor, campaignsQuery().where('id', '=', id));
  if (campaign === undefined) throw notFound('campaign');
  return campaign;
}

/** Active memberships; `p` is the row. */
function membersQuery() {
  return kysely
    .selectFrom('user_campaign_assignment as p')
    .where('p.is_active', '=', true)
    .select(['p.user_id', 'p.campaign_id', 'p.can_view', 'p.can_edit', 'p.can_send', 'p.can_manage'])
    .select(['p.weight', 'p.max_open_contacts', 'p.auto_assign', 'p.paused_until', 'p.open_contacts'])
    .select(['p.dealt_count', 'p.credit', 'p.last_assigned_at', 'p.assigned_by', 'p.assigned_at']);
}

/** The memberships of a user, oldest first. */
export function membershipsOf(userId: string) {
  return membersQuery().where('p.user_id', '=', userId).orderBy('p.assigned_at').orderBy('p.id');
}

/** Reads one member of a pool. @throws Problem 404. */
export async function loadMember(deps: ReadDeps, actor: Actor, campaignId: string, userId: string) {
  const [member] = await readAssignments(
    deps,
    actor,
    membersQuery().where('p.campaign_id', '=', campaignId).where('p.user_id', '=', userId),
  );
  if (member === undefined) throw notFound('assignment');
  return member;
}

/**
 * The members of a pool as the rule sees them.
 *
 * @param formerOwner excluded, because the contacts are being reassigned from this user.
 */
export function poolStatement(campaignId: string, formerOwner: string | null) {
  return sql<PoolMember>`
    select user_id, weight, load, last_turn, open_contacts, max_open_contacts, exclusion
    from assignment_pool(${campaignId}::uuid, ${formerOwner}::uuid)`;
}

/** {@link poolStatement} for the read path. */
export function poolQuery(campaignId: string, formerOwner: string | null = null) {
  const statement = poolStatement(campaignId, formerOwner);
  return { compile: () => statement.compile(kysely) };
}
