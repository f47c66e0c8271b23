import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openWithinMs } from '../../src/workflows/approval/approval.contract.ts';
import type { World } from './load/world.ts';

/** Longer than a focus session of the load, and the minute that its timer may be late. */
const settleTimeoutMs = 180_000;
/** A workflow whose opening was lost ends this long after its first task, which has to be run first. */
export const unopenedMs = openWithinMs + 30_000;
/** The server lists what has ended a moment later. */
const listingMs = 3_000;

/** What is still under way, by what it is. */
type UnderWay = Readonly<Record<string, number>>;

/**
 * Waits until nothing is under way any more that ends by itself: what stays under way then is for the checks to name.
 *
 * @param lostMs how long what no row shows may be under way.
 * @returns what was still under way when time was up
 */
export async function settled(world: World, lostMs: number): Promise<UnderWay> {
  const deadline = Date.now() + settleTimeoutMs;
  await sleep(lostMs);
  for (;;) {
    const left = await underWay(world);
    if (Object.values(left).every((n) => n === 0) || Date.now() > deadline) {
      await sleep(listingMs);
      return left;
    }
    await sleep(500);
  }
}

async function underWay({ db, tenants }: World): Promise<UnderWay> {
  const ids = sql.join(tenants.map(({ id }) => id));
  const { rows } = await sql<Record<string, number>>`
    select
      (select count(*)::int from admin_approvals where status = 'approved' and tenant_id in (${ids})) as "approved requests",
      (select count(*)::int from admin_deployments where ended_at is null and tenant_id in (${ids})) as rollouts,
      (select count(*)::int from admin_focus_sessions
        where ending is null and paused_at is null and tenant_id in (${ids})) as "focus sessions",
      (select count(*)::int from assignment_batches where status = 'running' and tenant_id in (${ids})) as "assignment batches",
      (select count(*)::int from admin_queues where pause_state = 'pausing' and tenant_id in (${ids})) as "pauses of queues",
      (select count(*)::int from workflow_starts where tenant_id in (${ids})) as "workflow starts"`.execute(db);
  return rows[0] ?? {};
}
