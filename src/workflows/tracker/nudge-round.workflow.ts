import { proxyActivities } from '@temporalio/workflow';
import type { NudgeActivities, NudgePage, NudgeRoundInput, NudgeRoundResult } from './nudge-round.contract.ts';

/** Regular activities: they may ask a text model, and a page of people takes some time. */
const { nudgePeople, nudgePerson, purgeNudges, ensureNudgeSchedules } = proxyActivities<NudgeActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '1 minute',
  scheduleToCloseTimeout: '14 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Nudges the people of a tenant, each in their own time zone (S0-58, S0-94), or one person on request. */
export async function nudgeRoundWorkflow({ tenant_id, user_id, command_id }: NudgeRoundInput): Promise<NudgeRoundResult> {
  if (user_id !== null) {
    const { created } = await nudgePerson({ tenant_id, user_id, ...(command_id === undefined ? {} : { command_id }) });
    return { created: created.length, nudge_ids: created };
  }
  let created = 0;
  let after: string | null = null;
  do {
    const page: NudgePage = await nudgePeople({ tenant_id, after });
    created += page.created.length;
    after = page.next_after;
  } while (after !== null);
  await purgeNudges({ tenant_id });
  return { created, nudge_ids: [] };
}

/** Creates the Schedule of its rounds for every tenant that has none. */
export async function nudgeSchedulesWorkflow(): Promise<{ schedules: number }> {
  return { schedules: await ensureNudgeSchedules() };
}
