import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { isAboveMemberships, rolePermissionFor } from '../../domain/identity/access.ts';
import type { Actor } from '../../domain/shared/actor.ts';

/** The access rule (`domain/identity/access.ts`) as conditions of lists: what is listed is what may be opened, and nothing else. */

const all = sql<boolean>`true`;
const hasGrant = sql<boolean>`(m.can_view or m.can_edit or m.can_send or m.can_manage)`;

function membershipOf(userId: string | null) {
  return sql`select m.campaign_id from user_campaign_assignment m where m.user_id = ${userId}::uuid and m.is_active`;
}

/** The campaigns that the actor may see; the table is `campaigns`. Own memberships are visible to everybody. */
export function visibleCampaigns(actor: Pick<Actor, 'user_id' | 'permissions'>): RawBuilder<boolean> {
  const { user_id } = actor;
  if (isAboveMemberships(actor, 'campaign:read')) return all;
  if (rolePermissionFor(actor, 'campaign:read') !== undefined) {
    return sql<boolean>`campaigns.id not in (${membershipOf(user_id)} and not ${hasGrant})`;
  }
  return sql<boolean>`campaigns.id in (${membershipOf(user_id)} and ${hasGrant})`;
}

/** The batches that the actor may see; `b` is the row of `assignment_batches`. */
export function visibleBatches(actor: Pick<Actor, 'user_id' | 'permissions'>): RawBuilder<boolean> {
  const { user_id } = actor;
  if (rolePermissionFor(actor, 'assignment:read') === undefined) {
    return sql<boolean>`b.campaign_id in (${membershipOf(user_id)} and ${hasGrant})`;
  }
  if (isAboveMemberships(actor, 'assignment:read')) return all;
  return sql<boolean>`(b.campaign_id is null or b.campaign_id not in (${membershipOf(user_id)} and not ${hasGrant}))`;
}

/**
 * The contacts that the actor may see; `c` is the row of `contacts`. Own ones, those that wait in the queue of a campaign that the
 * actor is a member of, and all that were assigned through a campaign that the actor manages. The transaction must have the
 * assignments open.
 */
export function visibleContacts(actor: Pick<Actor, 'user_id' | 'permissions'>): RawBuilder<boolean> {
  const { user_id } = actor;
  if (rolePermissionFor(actor, 'contact:read') !== undefined) return all;
  return sql<boolean>`c.id in (
    select o.contact_id from user_contact_assignment o where o.user_id = ${user_id}::uuid and o.released_at is null
    union all
    select w.contact_id from assignment_queue w where w.left_at is null
      and w.campaign_id in (${membershipOf(user_id)} and ${hasGrant})
    union all
    select o.contact_id from user_contact_assignment o where o.released_at is null
      and o.campaign_id in (${membershipOf(user_id)} and m.can_manage))`;
}
