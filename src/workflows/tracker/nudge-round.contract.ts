import { TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes } from '../shared/search-attributes.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Names under which the workflows are registered. */
export const nudgeRoundWorkflowType = 'nudgeRoundWorkflow';
export const nudgeSchedulesWorkflowType = 'nudgeSchedulesWorkflow';

/** How often a tenant's people are looked at. Rules know hours, not minutes, so a quarter of an hour is exact enough. */
export const nudgeRoundEveryMs = 15 * 60_000;

/** A round over a tenant's people, or for one of them. */
export interface NudgeRoundInput {
  tenant_id: string;
  user_id: string | null;
}

/** A page of people who were looked at. */
export interface NudgePage {
  /** Ids of the nudges that are new. */
  created: number[];
  /** The person after whom the next page begins; null after the last one. */
  next_after: string | null;
}

/** What a round has done; the ids for a round of one person only, so that results stay small. */
export interface NudgeRoundResult {
  created: number;
  nudge_ids: number[];
}

/** The hands of the workflows; `src/activities/tracker/nudge.activities.ts`. */
export interface NudgeActivities {
  nudgePeople(input: { tenant_id: string; after: string | null }): Promise<NudgePage>;
  nudgePerson(input: { tenant_id: string; user_id: string }): Promise<NudgePage>;
  purgeNudges(input: { tenant_id: string }): Promise<number>;
  ensureNudgeSchedules(): Promise<number>;
}

/** Makes sure that every tenant has the Schedule of its rounds. */
export const nudgeSchedulesSchedule: ScheduleContract = {
  scheduleId: 'nudge-schedules',
  workflowType: nudgeSchedulesWorkflowType,
  everyMs: 10 * 60_000,
  catchupWindowMs: 60_000,
  note: 'Gives every active tenant the Schedule of its nudge rounds.',
};

/** The Schedule of a tenant's rounds. A round that was missed is not made up for: it would speak of a time that is over. */
export function nudgeRoundSchedule(tenantId: string): ScheduleContract & { args: [NudgeRoundInput] } {
  return {
    scheduleId: `nudges/${tenantId}`,
    workflowType: nudgeRoundWorkflowType,
    everyMs: nudgeRoundEveryMs,
    catchupWindowMs: 60_000,
    note: `Nudges the people of tenant ${tenantId}, each in the own time zone.`,
    args: [{ tenant_id: tenantId, user_id: null }],
  };
}

/** A round for one person at once; two requests at a time share it. */
export function nudgePersonStartOptions(tenantId: string, userId: string) {
  return {
    workflowId: `nudges/${tenantId}/${userId}`,
    args: [{ tenant_id: tenantId, user_id: userId }] as [NudgeRoundInput],
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.tenantId, value: tenantId },
      { key: searchAttributes.requestedBy, value: userId },
    ]),
    staticSummary: `Nudges for user ${userId}`,
    staticDetails: `Looks at the day of user \`${userId}\` and writes the nudges that the rules ask for.`,
  };
}
