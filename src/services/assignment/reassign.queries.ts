import { sql } from 'kysely';
import { assignRound } from '../../domain/assignment/auto-assign.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadDeps } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import { readAssignments } from './assignment-access.service.ts';
import { poolQuery } from './campaign/campaign.queries.ts';

type Deps = ReadDeps;

/** @throws Problem 404 when there is no such user. Deactivated and deleted users may still have contacts, so they pass. */
export async function assertUserExists({ db }: Deps, actor: Actor, userId: string): Promise<void> {
  const [user] = await read(db, actor, kysely.selectFrom('users').where('id', '=', userId).select('id'));
  if (user === undefined) throw notFound('user');
}

/**
 * Who would get the contacts of a user if they were reassigned now; changes nothing.
 *
 * @param toUserId who would get all of them; null: the pools of their campaigns.
 * @throws Problem 404 when there is no such user.
 */
export async function previewReassignment(deps: Deps, actor: Actor, userId: string, toUserId: string | null) {
  await assertUserExists(deps, actor, userId);
  const campaigns = [];
  for (const { campaign_id, contacts, waiting } of await openContactCounts(deps, actor, userId)) {
    const owners = toUserId === null
      ? await simulate(deps, actor, { from_user_id: userId, campaign_id, contacts, waiting })
      : Array.from({ length: contacts }, () => toUserId);
    const counts = Map.groupBy(owners, (owner) => owner);
    campaigns.push({
      campaign_id,
      contacts,
      would_get: [...counts].flatMap(([user_id, got]) => (user_id === null ? [] : [{ user_id, contacts: got.length }])),
      would_wait: counts.get(null)?.length ?? 0,
    });
  }
  const total = campaigns.reduce((sum, { contacts }) => sum + contacts, 0);
  return { user_id: userId, to_user_id: toUserId, total, campaigns };
}

/** The open contacts of a user by campaign, and how many contacts wait in each campaign's queue. */
function openContactCounts(deps: Deps, actor: Actor, userId: string) {
  return readAssignments(
    deps,
    actor,
    kysely
      .selectFrom('user_contact_assignment as a')
      .where('a.user_id', '=', userId)
      .where('a.released_at', 'is', null)
      .groupBy('a.campaign_id')
      .orderBy('a.campaign_id')
      .select(['a.campaign_id', sql<number>`count(*)`.as('contacts')])
      .select(
        sql<number>`(select count(*) from assignment_queue q
          where q.campaign_id = a.campaign_id and q.left_at is null)`.as('waiting'),
      ),
  );
}

interface Simulation {
  readonly from_user_id: string;
  readonly campaign_id: string | null;
  readonly contacts: number;
  readonly waiting: number;
}

/** The owners that the rule would choose, behind the contacts that wait already; null for contacts that would wait. */
async function simulate(
  deps: Deps,
  actor: Actor,
  { from_user_id, campaign_id, contacts, waiting }: Simulation,
): Promise<(string | null)[]> {
  if (campaign_id === null) return Array.from({ length: contacts }, () => null);
  const pool = await readAssignments(deps, actor, poolQuery(campaign_id, from_user_id));
  const items = Array.from({ length: waiting + contacts }, () => ({ contact_id: '', preferred_user_id: null }));
  return assignRound(pool, items).assignments.slice(waiting).map(({ reason }) => reason.chosen_user_id);
}
