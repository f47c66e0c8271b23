import { TypedSearchAttributes } from '@temporalio/common';
import { defineQuery, defineSignal } from '@temporalio/workflow';
import { searchAttributes } from '../shared/search-attributes.ts';

/** Name under which the workflow is registered. */
export const assignmentDrainWorkflowType = 'assignmentDrainWorkflow';

/** The queue of a campaign. */
export interface AssignmentDrainInput {
  tenant_id: string;
  campaign_id: string;
  /** Longest time between two looks at the queue when nothing wakes the workflow. Milliseconds. */
  recheck_ms: number;
}

/** Changes that send no signal, such as a role that was assigned, take effect within this time. Milliseconds. */
export const defaultRecheckMs = 15 * 60_000;

/** A member may have capacity. */
export const wakeSignal = defineSignal('wake');
/** How many contacts wait, as of the last look. */
export const waitingQuery = defineQuery<number>('waiting');

/** What a look at the queue has done, and what is left. */
export interface DrainResult {
  assigned: number;
  /** More could be assigned at once. */
  has_more: boolean;
  waiting: number;
  /** When the next absent member returns; RFC 3339. */
  next_return_at: string | null;
}

/** The activities of the workflow; `src/activities/assignment/assignment.activities.ts`. */
export interface AssignmentDrainActivities {
  drainAssignmentQueue(input: AssignmentDrainInput): Promise<DrainResult>;
}

/** Id of the workflow of a campaign's queue; at most one runs at a time. */
export function assignmentDrainWorkflowId(tenantId: string, campaignId: string): string {
  return `assignment/${tenantId}/queue-${campaignId}`;
}

/** Everything but the task queue that a start needs. */
export function assignmentDrainStartOptions(input: AssignmentDrainInput) {
  return {
    workflowId: assignmentDrainWorkflowId(input.tenant_id, input.campaign_id),
    args: [input] as [AssignmentDrainInput],
    typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.tenantId, value: input.tenant_id }]),
    staticSummary: 'Assign waiting contacts to members with capacity',
    staticDetails: `Queue of the campaign \`${input.campaign_id}\`, oldest contact first. Ends when nothing waits.`,
  };
}
