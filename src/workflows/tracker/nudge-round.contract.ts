import { TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes } from '../shared/search-attributes.ts';
import type { ScheduleContract } from '../shared/schedule-contract.ts';

/** Names under which the workflows are registered. */
export const nudgeRoundWorkflowType = 'nudgeRoundWorkflow';
export const nudgeSchedulesWorkflowType = 'nudgeSchedulesWorkflow';

/** Interval of a tenant's rounds. The rules work in hours, so a quarter of an hour is precise enough. */
const nudgeRoundEveryMs = 15 * 60_000;

/** A round for all people of a tenant, or for one of them when `user_id` is set. */
export interface NudgeRoundInput {
  tenant_id: string;
  user_id: string | null;
  /** The command to be carried out (ADR 23); missing in rounds that a Schedule starts. */
  command_id?: string;
}

/** Result of one page of people. */
export interface NudgePage {
  /** Ids of the nudges that are new. */
  created: number[];
  /** The person after whom the next page begins; null after the last one. */
  next_after: string | null;
}

/** Result of a round. Ids are listed only for a round of one person, so that results stay small. */
export interface NudgeRoundResult {
  created: number;
  nudge_ids: number[];
}

/** Activities used by these workflows. */
export interface NudgeActivities {
  nudgePeople(input: { tenant_id: string; after: string | null }): Promise<NudgePage>;
  nudgePerson(input: { tenant_id: string; user_id: string; command_id?: string }): Promise<NudgePage>;
  purgeNudges(input: { tenant_id: string }): Promise<number>;
  ensureNudgeSchedules(): Promise<number>;
}

/** Runs the workflow that gives every tenant the Schedule of its rounds. */
export const nudgeSchedulesSchedule: ScheduleContract = {
  scheduleId: 'nudge-schedules',
  workflowType: nudgeSchedulesWorkflowType,
  everyMs: 10 * 60_000,
  catchupWindowMs: 60_000,
  note: 'Gives every active tenant the Schedule of its nudge rounds.',
};

/** The Schedule of a tenant's rounds. A missed round is not caught up: its nudges would be about a time that has passed. */
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

/** Start options, but for the task queue, of a round for one person. Concurrent requests share one round. */
export function nudgePersonStartOptions(tenantId: string, userId: string, commandId: string) {
  return {
    workflowId: `nudges/${tenantId}/${userId}`,
    args: [{ tenant_id: tenantId, user_id: userId, command_id: commandId }] as [NudgeRoundInput],
    typedSearchAttributes: new TypedSearchAttributes([
      { key: searchAttributes.tenantId, value: tenantId },
      { key: searchAttributes.requestedBy, value: userId },
    ]),
    staticSummary: `Nudges for user ${userId}`,
    staticDetails: `Evaluates the nudge rules for the day of user \`${userId}\`.`,
  };
}
