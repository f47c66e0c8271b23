import { sql } from 'kysely';
import type { AssignmentReason, ContactOutcome } from '../../domain/assignment/assignment.ts';
import { assignRound } from '../../domain/assignment/auto-assign.ts';
import type { DealReason, PoolMember } from '../../domain/assignment/auto-assign.ts';
import { jsonLines } from '../../platform/database/json-lines.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { auditAssigned } from './assignment-audit.service.ts';
import { lockCampaign, poolOf } from './campaign-pool.service.ts';
import { enqueue, leaveQueue, waitingIn } from './assignment-queue.service.ts';

/** A contact without an owner that is to be dealt. */
export interface DealRequest {
  readonly contact_id: string;
  /** Who looked after it until now. */
  readonly from_user_id: string | null;
  /** Who should have it again if possible. */
  readonly preferred_user_id: string | null;
}

export interface DealOptions {
  readonly campaign_id: string;
  readonly method: 'round_robin' | 'reassign';
  /** Gets none of these: they are handed over from this person. */
  readonly former_owner: string | null;
}

/** More waiting contacts than this are left to the next transaction, so that none takes long. */
const maxDrained = 200;

/**
 * Deals contacts to the pool of a campaign, in order (S3-40). What waits in the campaign's queue comes first, so that
 * nothing overtakes it; what nobody can take waits behind it (S3-40).
 *
 * One contact is dealt by the rule in SQL, in one statement; several by the same rule in memory and one insert, which
 * gives the same owners. Both behind the campaign's lock.
 */
export async function autoAssignContacts(
  tx: Tx,
  options: DealOptions,
  requests: readonly DealRequest[],
): Promise<ContactOutcome[]> {
  const { left } = await drainQueue(tx, options.campaign_id);
  if (left > 0) {
    await enqueue(tx, options, requests.map((request) => ({ ...request, reason: { kind: 'behind_others' } })));
    return requests.map(({ contact_id }) => queued(contact_id));
  }
  const [only] = requests;
  return only !== undefined && requests.length === 1
    ? [await dealOne(tx, options, only)]
    : dealMany(tx, options, requests);
}

/** What a drain has done. */
export interface Drained {
  readonly assigned: number;
  /** Still waiting although somebody may have a place: another drain goes on. */
  readonly left: number;
}

/**
 * Gives waiting contacts to whoever has a place, oldest first.
 *
 * @returns `left` 0 also when contacts wait but nobody has a place.
 */
export async function drainQueue(tx: Tx, campaign_id: string): Promise<Drained> {
  await lockCampaign(tx, campaign_id);
  const waiting = await waitingIn(tx, campaign_id, maxDrained + 1);
  if (waiting.length === 0) return { assigned: 0, left: 0 };
  const pool = await poolOf(tx, campaign_id);
  if (pool.every(({ exclusion }) => exclusion !== null)) return { assigned: 0, left: 0 };
  let assigned = 0;
  for (const { id, contact_id, former_user_id, preferred_user_id } of waiting.slice(0, maxDrained)) {
    const options = { campaign_id, method: 'round_robin', former_owner: former_user_id } as const;
    const { user_id } = await dealIfPossible(tx, options, { contact_id, from_user_id: former_user_id, preferred_user_id });
    if (user_id !== null) {
      await leaveQueue(tx, [id], 'assigned');
      assigned += 1;
    } else if (former_user_id === null) {
      // Nobody has a place, so nobody has one for those behind it.
      return { assigned, left: 0 };
    }
  }
  return { assigned, left: waiting.length > maxDrained ? waiting.length - assigned : 0 };
}

async function dealOne(tx: Tx, options: DealOptions, request: DealRequest): Promise<ContactOutcome> {
  const { user_id, reason } = await dealIfPossible(tx, options, request);
  if (user_id !== null) return dealt(request.contact_id, reason);
  await enqueue(tx, options, [{ ...request, reason: { kind: 'no_candidate', ...reason } }]);
  return queued(request.contact_id);
}

/** The choice, its record and the new state of the pool in one statement, behind the campaign's lock (S3-13, S3-40). */
async function dealIfPossible(
  tx: Tx,
  { campaign_id, method, former_owner }: DealOptions,
  { contact_id, from_user_id, preferred_user_id }: DealRequest,
): Promise<{ user_id: string | null; reason: DealReason }> {
  const { tenant_id, user_id: actor_id } = tx.actor;
  const { rows } = await sql<{ user_id: string | null; reason: DealReason }>`
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

async function dealMany(
  tx: Tx,
  options: DealOptions,
  requests: readonly DealRequest[],
): Promise<ContactOutcome[]> {
  const pool = await poolOf(tx, options.campaign_id, options.former_owner);
  const round = assignRound(pool, requests);
  const reasons = new Map(round.deals.map(({ contact_id, reason }) => [contact_id, reason]));
  const results = requests.flatMap((request) => {
    const reason = reasons.get(request.contact_id);
    return reason === undefined ? [] : [{ request, reason }];
  });
  await placeAll(tx, options, results);
  await savePool(tx, options.campaign_id, pool, round.pool, results.map(({ reason }) => reason.chosen_user_id));
  await enqueue(
    tx,
    options,
    results
      .filter(({ reason }) => reason.chosen_user_id === null)
      .map(({ request, reason }) => ({ ...request, reason: { kind: 'no_candidate', ...reason } })),
  );
  return results.map(({ request: { contact_id }, reason }) =>
    reason.chosen_user_id === null ? queued(contact_id) : dealt(contact_id, reason),
  );
}

interface DealResult {
  readonly request: DealRequest;
  readonly reason: DealReason;
}

async function placeAll(tx: Tx, { campaign_id, method }: DealOptions, results: readonly DealResult[]): Promise<void> {
  const rows = results.flatMap(({ request: { contact_id, from_user_id }, reason }) => {
    const user_id = reason.chosen_user_id;
    return user_id === null ? [] : [{ contact_id, user_id, from_user_id, reason: dealtReason(reason, from_user_id) }];
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

function dealtReason(reason: DealReason, from_user_id: string | null): AssignmentReason {
  return { kind: 'dealt', from_user_id, ...reason };
}

/** Writes what a round has changed of the pool. `open_contacts` is the trigger's. */
async function savePool(
  tx: Tx,
  campaignId: string,
  before: readonly PoolMember[],
  after: readonly PoolMember[],
  chosen: readonly (string | null)[],
): Promise<void> {
  const loads = new Map(before.map(({ user_id, load }) => [user_id, load]));
  const dealtTo = Map.groupBy(chosen, (user_id) => user_id);
  const changes = after.flatMap(({ user_id, load, last_turn }) => {
    const dealt_count = dealtTo.get(user_id)?.length ?? 0;
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

function dealt(contact_id: string, reason: DealReason): ContactOutcome {
  const again = reason.chosen_user_id !== null && reason.chosen_user_id === reason.preferred_user_id;
  return { contact_id, outcome: 'assigned', detail: again ? 'previous_owner' : 'dealt', user_id: reason.chosen_user_id };
}

function queued(contact_id: string): ContactOutcome {
  return { contact_id, outcome: 'queued', detail: 'no_candidate', user_id: null };
}
