import { sql } from 'kysely';
import type { AssignmentReason, ContactOutcome } from '../../domain/assignment/assignment.ts';
import { assignRound } from '../../domain/assignment/auto-assign.ts';
import type { AutoAssignReason, PoolMember } from '../../domain/assignment/auto-assign.ts';
import { jsonLines } from '../../platform/database/json-lines.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { auditAssigned } from './assignment-audit.service.ts';
import type { DrainResult } from '../../workflows/assignment/assignment-drain.contract.ts';
import { queueOutlook } from './assignment-queue.queries.ts';
import { enqueueContacts, leaveQueue, waitingContacts } from './assignment-queue.service.ts';
import { loadPool, lockCampaign, lockExistingCampaign } from './campaign/campaign.repository.ts';

/** A contact without an owner that the rule is to assign. */
export interface AutoAssignRequest {
  readonly contact_id: string;
  /** The owner until now. */
  readonly from_user_id: string | null;
  /** The previous owner, where the owner is to be kept if possible. */
  readonly preferred_user_id: string | null;
}

/** What all contacts of a call have in common. */
interface AutoAssignOptions {
  readonly campaign_id: string;
  readonly method: 'round_robin' | 'reassign';
  /** Gets none of the contacts, because they are reassigned from this user. */
  readonly former_owner: string | null;
}

/** Waiting contacts that one transaction assigns at most, so that none takes long. */
const maxDrained = 200;

/**
 * Assigns contacts to the pool of a campaign by the rule, in order (S3-40). Contacts that wait in the campaign's queue are
 * served first, so that none is overtaken; contacts that nobody can take join the queue behind them.
 *
 * One contact is assigned by the rule in SQL, in one statement; several by the same rule in memory and one insert, which
 * gives the same owners. Both hold the campaign's lock.
 *
 * @throws Problem 404 when there is no such campaign.
 */
export async function autoAssignContacts(
  tx: Tx,
  options: AutoAssignOptions,
  requests: readonly AutoAssignRequest[],
): Promise<ContactOutcome[]> {
  await lockCampaign(tx, options.campaign_id);
  const { left } = await drainLockedQueue(tx, options.campaign_id);
  if (left > 0) {
    await enqueueContacts(tx, options, requests.map((request) => ({ ...request, reason: { kind: 'behind_others' } })));
    return requests.map(({ contact_id }) => queuedOutcome(contact_id));
  }
  const [only] = requests;
  return only !== undefined && requests.length === 1
    ? [await assignOne(tx, options, only)]
    : assignMany(tx, options, requests);
}

/** What a look at a queue has done. */
interface DrainedQueue {
  readonly assigned: number;
  /** Contacts that still wait although a member may have capacity: another transaction continues. */
  readonly left: number;
}

/**
 * Serves the queue of a campaign once, for the workflow of the queue. A deleted campaign has no queue any more.
 *
 * @returns what was assigned, how many wait, and when to look again.
 */
export async function serveQueue(tx: Tx, campaignId: string): Promise<DrainResult> {
  if (!(await lockExistingCampaign(tx, campaignId))) {
    return { assigned: 0, has_more: false, waiting: 0, next_return_at: null };
  }
  const { assigned, left } = await drainLockedQueue(tx, campaignId);
  return { assigned, has_more: left > 0, ...(await queueOutlook(tx, campaignId)) };
}

/**
 * Assigns waiting contacts to members with capacity, oldest first. The campaign must be locked.
 *
 * @returns `left` is 0 also when contacts wait but no member has capacity.
 */
async function drainLockedQueue(tx: Tx, campaign_id: string): Promise<DrainedQueue> {
  const waiting = await waitingContacts(tx, campaign_id, maxDrained + 1);
  if (waiting.length === 0) return { assigned: 0, left: 0 };
  const pool = await loadPool(tx, campaign_id);
  if (pool.every(({ exclusion }) => exclusion !== null)) return { assigned: 0, left: 0 };
  let assigned = 0;
  for (const { id, contact_id, former_user_id, preferred_user_id } of waiting.slice(0, maxDrained)) {
    const options = { campaign_id, method: 'round_robin', former_owner: former_user_id } as const;
    const { user_id } = await assignNext(tx, options, { contact_id, from_user_id: former_user_id, preferred_user_id });
    if (user_id !== null) {
      await leaveQueue(tx, [id], 'assigned');
      assigned += 1;
    } else if (former_user_id === null) {
      // No member has capacity, so none has any for the contacts behind this one.
      return { assigned, left: 0 };
    }
  }
  return { assigned, left: waiting.length > maxDrained ? waiting.length - assigned : 0 };
}

async function assignOne(tx: Tx, options: AutoAssignOptions, request: AutoAssignRequest): Promise<ContactOutcome> {
  const { user_id, reason } = await assignNext(tx, options, request);
  if (user_id !== null) return assignedOutcome(request.contact_id, reason);
  await enqueueContacts(tx, options, [{ ...request, reason: { kind: 'no_candidate', ...reason } }]);
  return queuedOutcome(request.contact_id);
}

/**
 * Chooses a member, stores the assignment and updates the pool, in one statement (S3-13, S3-40). The campaign must be
 * locked.
 *
 * @returns user id null when nobody could be chosen; nothing is stored then.
 */
async function assignNext(
  tx: Tx,
  { campaign_id, method, former_owner }: AutoAssignOptions,
  { contact_id, from_user_id, preferred_user_id }: AutoAssignRequest,
): Promise<{ user_id: string | null; reason: AutoAssignReason }> {
  const { tenant_id, user_id: actor_id } = tx.actor;
  const { rows } = await sql<{ user_id: string | null; reason: AutoAssignReason }>`
    with choice as materialized (
      select * from get_next_user_round_robin(${campaign_id}::uuid, ${former_owner}::uuid, ${preferred_user_id}::uuid)
    ),
    placed as (
      insert into user_contact_assignment (tenant_id, user_id, contact_id, campaign_id, method, reason, assigned_by)
      select ${tenant_id}::uuid, c.user_id, ${contact_id}::uuid, ${campaign_id}::uuid, ${method},
        jsonb_build_object('kind', 'dealt', 'from_user_id', ${from_user_id}::uuid) || c.reason, ${actor_id}::uuid
      from choice c where c.user_id is not null
    ),
    counted as (
      update user_campaign_assignment p
      set dealt_count = p.dealt_count + 1, last_turn = c.turn, last_assigned_at = clock_timestamp()
      from choice c where p.id = c.pool_id
    ),
    levelled as (
      update user_campaign_assignment p
      set credit = ceil((c.total_load + 1)::numeric * p.weight / c.total_weight) - p.dealt_count
      from choice c, jsonb_to_recordset(c.reason -> 'excluded') as x(user_id uuid)
      where c.user_id is not null and p.campaign_id = ${campaign_id}::uuid and p.is_active and p.user_id = x.user_id
        and p.dealt_count + p.credit < ceil((c.total_load + 1)::numeric * p.weight / c.total_weight)
    )
    select c.user_id, c.reason from choice c`.execute(tx.sql);
  const choice = rows[0];
  if (choice === undefined) throw new Error('get_next_user_round_robin() gave no row.');
  if (choice.user_id !== null) {
    auditAssigned(tx, { contact_id, from_user_id, user_id: choice.user_id, campaign_id, method });
  }
  return choice;
}

async function assignMany(
  tx: Tx,
  options: AutoAssignOptions,
  requests: readonly AutoAssignRequest[],
): Promise<ContactOutcome[]> {
  const pool = await loadPool(tx, options.campaign_id, options.former_owner);
  const round = assignRound(pool, requests);
  const reasons = new Map(round.assignments.map(({ contact_id, reason }) => [contact_id, reason]));
  const results = requests.flatMap((request) => {
    const reason = reasons.get(request.contact_id);
    return reason === undefined ? [] : [{ request, reason }];
  });
  await insertAssignments(tx, options, results);
  await savePool(tx, options.campaign_id, pool, round.pool, results.map(({ reason }) => reason.chosen_user_id));
  await enqueueContacts(
    tx,
    options,
    results
      .filter(({ reason }) => reason.chosen_user_id === null)
      .map(({ request, reason }) => ({ ...request, reason: { kind: 'no_candidate', ...reason } })),
  );
  return results.map(({ request: { contact_id }, reason }) =>
    reason.chosen_user_id === null ? queuedOutcome(contact_id) : assignedOutcome(contact_id, reason),
  );
}

interface AssignResult {
  readonly request: AutoAssignRequest;
  readonly reason: AutoAssignReason;
}

async function insertAssignments(
  tx: Tx,
  { campaign_id, method }: AutoAssignOptions,
  results: readonly AssignResult[],
): Promise<void> {
  const rows = results.flatMap(({ request: { contact_id, from_user_id }, reason: choice }) => {
    const user_id = choice.chosen_user_id;
    const reason: AssignmentReason = { kind: 'dealt', from_user_id, ...choice };
    return user_id === null ? [] : [{ contact_id, user_id, from_user_id, reason }];
  });
  if (rows.length === 0) return;
  await sql`
    insert into user_contact_assignment (tenant_id, user_id, contact_id, campaign_id, method, reason, assigned_by)
    select ${tx.actor.tenant_id}::uuid, d.user_id, d.contact_id, ${campaign_id}::uuid, ${method}, d.reason::jsonb,
      ${tx.actor.user_id}::uuid
    from unnest(
      ${rows.map(({ user_id }) => user_id)}::uuid[],
      ${rows.map(({ contact_id }) => contact_id)}::uuid[],
      ${jsonLines(rows.map(({ reason }) => JSON.stringify(reason)))}
    ) as d(user_id, contact_id, reason)
  `.execute(tx.sql);
  for (const { contact_id, user_id, from_user_id } of rows) {
    auditAssigned(tx, { contact_id, from_user_id, user_id, campaign_id, method });
  }
}

/** Saves what a round has changed in the pool. `open_contacts` is kept by a trigger. */
async function savePool(
  tx: Tx,
  campaignId: string,
  before: readonly PoolMember[],
  after: readonly PoolMember[],
  chosen: readonly (string | null)[],
): Promise<void> {
  const loads = new Map(before.map(({ user_id, load }) => [user_id, load]));
  const assignmentsOf = Map.groupBy(chosen, (user_id) => user_id);
  const changes = after.flatMap(({ user_id, load, last_turn }) => {
    const dealt_count = assignmentsOf.get(user_id)?.length ?? 0;
    const credit = load - (loads.get(user_id) ?? 0) - dealt_count;
    return dealt_count === 0 && credit === 0 ? [] : [{ user_id, dealt_count, credit, last_turn }];
  });
  if (changes.length === 0) return;
  await sql`
    update user_campaign_assignment p
    set dealt_count = p.dealt_count + d.dealt_count, credit = p.credit + d.credit, last_turn = d.last_turn,
      last_assigned_at = case when d.dealt_count > 0 then clock_timestamp() else p.last_assigned_at end
    from jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
      as d(user_id uuid, dealt_count int, credit int, last_turn int)
    where p.campaign_id = ${campaignId}::uuid and p.user_id = d.user_id and p.is_active
  `.execute(tx.sql);
}

function assignedOutcome(contact_id: string, reason: AutoAssignReason): ContactOutcome {
  const isPrevious = reason.chosen_user_id !== null && reason.chosen_user_id === reason.preferred_user_id;
  return { contact_id, outcome: 'assigned', detail: isPrevious ? 'previous_owner' : 'dealt', user_id: reason.chosen_user_id };
}

function queuedOutcome(contact_id: string): ContactOutcome {
  return { contact_id, outcome: 'queued', detail: 'no_candidate', user_id: null };
}
